import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { stopUnusedDockerEngine, useDockerEngine, type TestDockerEngine } from '../support/docker-engine.ts';
import { eventually } from '../support/eventually.ts';
import { print, printTable, SUMMARY_HEAD, summaryRow } from './support/distribution.ts';
import { DockerCreations, type Creation } from './support/docker-creations.ts';
import { printMachine, wallNowMs } from './support/machine.ts';
import { PlacementQueueView } from './support/placement-queue-view.ts';

/**
 * Time from sending a request to the moment at which the Docker engine has created the model's container: its footprint is known, its image
 * is there, its endpoint is gone and the queue is empty. Beside it, in the same rounds, Docker's own create with the same configuration.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    /** Rounds that begin after `--quiet` of nothing, so that no reading of the GPUs is young. */
    'quiet-rounds': { type: 'string', default: '10' },
    quiet: { type: 'string', default: '12000' },
  },
});
const MODEL = 'known';
const LABEL_GENERATION = 'berth.generation';

interface Round {
  readonly docker: number;
  readonly total: number;
  /** Duration of each step, in order. */
  readonly steps: Readonly<Record<string, number>>;
  /** Containers with nvidia-smi that were created between request and creation. */
  readonly probes: number;
}

printMachine('Cold path: request to container created');
try {
  await using berth = await startBerth({
    runtime: 'docker',
    models: { [MODEL]: { simulated: { weightsMiB: 2_000, activationMiB: 100 } } },
  });
  const engine = await useDockerEngine();
  using creations = await DockerCreations.follow(engine.socketPath);
  await using queue = new PlacementQueueView(berth.redis.url);
  const bench = { berth, engine, creations, queue };
  await berth.chat(MODEL);
  const config = await readConfig(bench);
  report('One round after the other', await measure(bench, config, Number(options.rounds), 0));
  const quietMs = Number(options.quiet);
  report(`After ${quietMs / 1000} s of nothing`, await measure(bench, config, Number(options['quiet-rounds']), quietMs));
} finally {
  await stopUnusedDockerEngine(process.ppid);
}

interface Bench {
  readonly berth: BerthUnderTest;
  readonly engine: TestDockerEngine;
  readonly creations: DockerCreations;
  readonly queue: PlacementQueueView;
}

async function measure(bench: Bench, config: object, rounds: number, quietMs: number): Promise<readonly Round[]> {
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await stopEndpoint(bench);
    await sleep(quietMs);
    await eventually('an empty queue', () => bench.queue.isEmpty());
    const docker = await createDirectly(bench, config);
    measured.push({ docker, ...(await createByRequest(bench)) });
  }
  return measured;
}

/** Until the endpoint is gone, its memory with it, and nothing is left to do. */
async function stopEndpoint({ berth, queue }: Bench): Promise<void> {
  const response = await fetch(`${berth.urls[0]}/admin/v1/models/${MODEL}/stop`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ force: true }),
  });
  if (response.status !== 202) throw new Error(`the stop was answered with ${response.status}`);
  await eventually('the endpoint to be gone', async () => (await berth.state()).endpoints.length === 0);
  await eventually('an empty queue', () => queue.isEmpty());
}

/** Docker's own `POST /containers/create`, from sending it to the engine's event, as for Berth's. */
async function createDirectly({ engine, creations }: Bench, config: object): Promise<number> {
  const name = `bench-${randomUUID()}`;
  const sentAtMs = wallNowMs();
  await engine.api.call('POST', `/containers/create?name=${name}`, Readable.from([JSON.stringify(config)]));
  const created = await creations.next((creation) => creation.name === name);
  await engine.api.call('DELETE', `/containers/${name}?force=1`);
  return created.atMs - sentAtMs;
}

async function createByRequest(bench: Bench): Promise<Omit<Round, 'docker'>> {
  const { berth, creations } = bench;
  const sentAtMs = wallNowMs();
  const answered = berth.chat(MODEL);
  const since = (creation: Creation): boolean => creation.atMs >= sentAtMs;
  const created = await creations.next((creation) => since(creation) && LABEL_GENERATION in creation.labels);
  await answered;
  const probes = creations.all(
    (creation) => since(creation) && creation.atMs < created.atMs && creation.name.startsWith('berth-probe-'),
  ).length;
  return { total: created.atMs - sentAtMs, steps: await readSteps(bench, sentAtMs, created.atMs), probes };
}

/** What a placement leaves behind of each of its steps: events of its job, lines of the orchestrator's log, the engine's event. */
async function readSteps({ berth, queue }: Bench, sentAtMs: number, createdAtMs: number): Promise<Record<string, number>> {
  const events = await queue.eventsSince(sentAtMs);
  const added = events.find(({ event, name }) => event === 'added' && name === 'place');
  const active = events.find(({ event, jobId }) => event === 'active' && jobId === added?.jobId);
  const log = await berth.orchestrator().readLog();
  const logged = (message: string): number =>
    Number(log.find((line) => line['msg'] === message && Number(line['time']) >= Math.floor(sentAtMs))?.['time']);
  const instants = [
    ['request → job added', added?.atMs],
    ['job added → step begun', active?.atMs],
    ['step begun → planned', logged('placement planned')],
    ['planned → memory reserved', logged('endpoint reserved')],
    ['reserved → container created', createdAtMs],
  ] as const;
  let beforeMs = sentAtMs;
  const steps: Record<string, number> = {};
  for (const [name, atMs = Number.NaN] of instants) {
    steps[name] = atMs - beforeMs;
    beforeMs = atMs;
  }
  return steps;
}

/** What Docker was told to create, as it tells it itself. */
async function readConfig({ berth, engine }: Bench): Promise<object> {
  const [running] = await berth.engines();
  const { Config, HostConfig, NetworkSettings } = await engine.api.read<{
    Config: object;
    HostConfig: object;
    NetworkSettings: { Networks: Record<string, { IPAMConfig: object }> };
  }>(`/containers/${running?.name}/json`);
  const EndpointsConfig = Object.fromEntries(
    Object.entries(NetworkSettings.Networks).map(([name, { IPAMConfig }]) => [name, { IPAMConfig }]),
  );
  // Without Berth's labels, so that nobody takes it for an engine of an installation.
  return { ...Config, Labels: {}, HostConfig, NetworkingConfig: { EndpointsConfig } };
}

function report(title: string, rounds: readonly Round[]): void {
  if (rounds.length === 0) return;
  const totals = rounds.map((round) => round.total);
  const docker = rounds.map((round) => round.docker);
  print(`## ${title}\n`);
  printTable(SUMMARY_HEAD, [
    summaryRow('request → container created', totals),
    summaryRow("Docker's own create", docker),
    summaryRow(
      'difference in the same round',
      totals.map((total, index) => total - (docker[index] ?? Number.NaN)),
    ),
  ]);
  print('Where it goes (instants of queue and log in whole ms):\n');
  const names = Object.keys(rounds[0]?.steps ?? {});
  printTable(
    SUMMARY_HEAD,
    names.map((name) =>
      summaryRow(
        name,
        rounds.map((round) => round.steps[name] ?? Number.NaN),
      ),
    ),
  );
  const probing = rounds.filter((round) => round.probes > 0).length;
  print(`Rounds in which nvidia-smi ran before the container was created: ${probing} of ${rounds.length}.\n`);
}
