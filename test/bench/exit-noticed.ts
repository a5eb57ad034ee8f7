import { parseArgs } from 'node:util';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { stopUnusedDockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { print, printTable, SUMMARY_HEAD, summaryRow } from './support/distribution.ts';
import { printMachine, wallNowMs } from './support/machine.ts';
import { PlacementQueueView } from './support/placement-queue-view.ts';

/** Time from killing a serving engine from outside, with an empty queue, to its endpoint no longer being `ready` in the registry. */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '30' },
    runtimes: { type: 'string', default: 'process,docker' },
  },
});
const MODEL = 'killed';
/** So that the next round need not wait for a back-off. */
const NO_BACK_OFF = { quarantine: { base: '10ms', max: '10ms' } };

printMachine('Exit noticed: engine killed to endpoint not ready any more');
try {
  for (const runtime of options.runtimes.split(',')) {
    if (runtime !== 'process' && runtime !== 'docker') throw new Error(`--runtimes: ${runtime} is neither process nor docker`);
    await measure(runtime);
  }
} finally {
  await stopUnusedDockerEngine(process.ppid);
}

async function measure(runtime: 'process' | 'docker'): Promise<void> {
  await using berth = await startBerth({
    runtime,
    models: { [MODEL]: { simulated: { weightsMiB: 2_000, activationMiB: 100 } } },
    catalog: NO_BACK_OFF,
  });
  await using queue = new PlacementQueueView(berth.redis.url);
  const noticedMs: number[] = [];
  for (let round = 0; round < Number(options.rounds); round += 1) {
    await eventually('an endpoint that serves', () => isServing(berth), 60_000);
    await eventually('an empty queue', () => queue.isEmpty());
    const engine = (await berth.engines()).find((one) => one.running);
    if (engine === undefined) throw new Error('no engine runs although its endpoint serves');
    const killedAtMs = wallNowMs();
    await engine.kill('SIGKILL');
    const leftReadyAtMs = await eventually('the exit to be noticed', () => readLeftReady(berth, killedAtMs));
    noticedMs.push(leftReadyAtMs - killedAtMs);
    await eventually('the endpoint to be gone', async () => (await berth.state()).endpoints.length === 0);
  }
  print(`## ${runtime}\n`);
  printTable(SUMMARY_HEAD, [summaryRow('kill sent → endpoint not ready', noticedMs)]);
}

/** A model that is still in quarantine answers with an error. */
async function isServing(berth: BerthUnderTest): Promise<boolean> {
  return berth.chat(MODEL).then(
    () => true,
    () => false,
  );
}

/** Epoch ms of the orchestrator's line about it, which is written as soon as the registry has the change. */
async function readLeftReady(berth: BerthUnderTest, sinceMs: number): Promise<number | null> {
  const log = await berth.orchestrator().readLog();
  const line = log.find(
    (one) => one['msg'] === 'endpoint changed' && one['from'] === 'ready' && Number(one['time']) >= Math.floor(sinceMs),
  );
  return line === undefined ? null : Number(line['time']);
}
