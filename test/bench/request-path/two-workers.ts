import { print, printTable } from '../support/distribution.ts';
import { pin } from '../support/pins.ts';
import { processTree } from '../support/process-usage.ts';
import { figure, ratio, Rounds, type Bench, type Verdict } from './bench.ts';
import { cpuPerRequest, loadOn, perSecond } from './load.ts';
import { edge } from './targets.ts';

const CONNECTIONS = 64;
const WARM_UP_SECONDS = 2;
/** Two workers, and one for all else. */
const NEEDED_CORES = 3;
const EDGE_CORES = '0-1';

type Name = 'one process' | 'two workers';

/** Requests a second of two workers behind one port ÷ those of one process, both free to use two cores. To be the last: it moves the load. */
export async function measureTwoWorkers(bench: Bench): Promise<readonly Verdict[]> {
  const { pins, cores, berth, wrk, signal } = bench;
  if (pins !== null) await moveLoad(bench, cores < NEEDED_CORES ? EDGE_CORES : `2-${cores - 1}`);
  const edgeCores = pins === null ? undefined : EDGE_CORES;
  await using one = await edge(berth, edgeCores)();
  await using two = await edge(berth, edgeCores, 2)();
  const targets = new Map<Name, typeof one>([
    ['one process', one],
    ['two workers', two],
  ]);
  for (const { ports } of targets.values()) await wrk.load(ports.json, { connections: CONNECTIONS, seconds: WARM_UP_SECONDS, signal });
  const rounds = await Rounds.run(targets, bench, (target) => loadOn(target, CONNECTIONS, bench));

  const rate = (name: Name): string => figure(rounds.median(name, perSecond));
  const cpu = (name: Name): string => figure(rounds.median(name, cpuPerRequest), 1);
  const gain = figure(rounds.paired('two workers', 'one process', perSecond, ratio), 2);
  const cpuGrowth = figure(rounds.paired('two workers', 'one process', cpuPerRequest, ratio), 2);
  print(`## Several cores: \`berth edge --workers 2\`, ${CONNECTIONS} connections\n`);
  if (cores < NEEDED_CORES)
    print(`${cores} cores: upstream and load generator take theirs from the workers, so two workers cannot do twice as much.\n`);
  printTable(
    ['', 'req/s', '÷ one process', 'CPU µs/req', '÷ one process'],
    [
      ['one process', rate('one process'), '1', cpu('one process'), '1'],
      ['two workers', rate('two workers'), gain, cpu('two workers'), cpuGrowth],
    ],
  );
  const [must, aim] = cores < NEEDED_CORES ? ['(1.6)', '(1.9)'] : ['1.6', '1.9'];
  const measure = `two workers ÷ one${cores < NEEDED_CORES ? `, which share ${cores} cores with the load` : ''}`;
  return [
    { measure, nginx: '-', berth: rate('two workers'), value: gain, must, aim },
    { measure: 'CPU µs per request, two workers ÷ one', nginx: '-', berth: cpu('two workers'), value: cpuGrowth, must: '-', aim: '1' },
  ];
}

async function moveLoad({ berth }: Bench, cores: string): Promise<void> {
  pin(process.pid, cores);
  for (const engine of await berth.berth.engines()) {
    if (engine.running) for (const pid of processTree(engine.pid)) pin(pid, cores);
  }
}
