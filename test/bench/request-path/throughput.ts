import { print, printTable } from '../support/distribution.ts';
import { processTree, readCpuNs } from '../support/process-usage.ts';
import type { WrkResult } from '../support/wrk.ts';
import { figure, ratio, Rounds, type Bench, type Verdict } from './bench.ts';
import type { Target, TargetName } from './targets.ts';

/** Connections, and what is wanted of Berth ÷ nginx. */
const LOADS = [
  { connections: 1, must: '-', aim: '-' },
  { connections: 64, must: '0.32', aim: '0.50' },
  { connections: 512, must: '0.25', aim: '0.45' },
];
const TO_GO = { connections: 64, must: '1.5', aim: '2.4' };

type Result = WrkResult & { readonly cpuUs: number };
type Results = Rounds<TargetName, Result>;
const perSecond = (result: Result): number => result.requestsPerSecond;

/** Requests a second with one request under way on each connection, an answer of some 500 B at once, and the CPU time that a request takes. */
export async function measureThroughput(bench: Bench): Promise<readonly Verdict[]> {
  print('## Requests per second: closed loop, JSON\n');
  const verdicts: Verdict[] = [];
  for (const { connections, must, aim } of LOADS) {
    const rounds = await Rounds.run(bench.targets, bench, (target) => loadOn(target, connections, bench));
    printRounds(connections, rounds, bench);
    const measure = `req/s at ${connections} connection${connections === 1 ? '' : 's'} ÷ nginx`;
    verdicts.push({ measure, ...comparison(rounds, 'nginx'), must, aim });
    if (connections !== TO_GO.connections || !rounds.names.includes('go')) continue;
    const toGo = `req/s at ${connections} connections ÷ Go ReverseProxy (${figure(rounds.median('go', perSecond))})`;
    verdicts.push({ measure: toGo, ...comparison(rounds, 'go'), must: TO_GO.must, aim: TO_GO.aim });
  }
  return verdicts;
}

async function loadOn(target: Target, connections: number, { wrk, effort, signal }: Bench): Promise<Result> {
  const pids = target.pid === null ? [] : processTree(target.pid);
  const cpuNs = (): number => pids.reduce((sum, pid) => sum + readCpuNs(pid), 0);
  const before = cpuNs();
  const result = await wrk.load(target.ports.json, { connections, seconds: effort.seconds, signal });
  return { ...result, cpuUs: pids.length === 0 ? Number.NaN : (cpuNs() - before) / 1000 / result.requests };
}

function comparison(rounds: Results, base: TargetName): Pick<Verdict, 'nginx' | 'berth' | 'value'> {
  return {
    nginx: figure(rounds.median('nginx', perSecond)),
    berth: figure(rounds.median('berth', perSecond)),
    value: figure(rounds.paired('berth', base, perSecond, ratio), 2),
  };
}

function printRounds(connections: number, rounds: Results, { effort }: Bench): void {
  print(`${connections} connection${connections === 1 ? '' : 's'}, ${effort.rounds} rounds of ${effort.seconds} s, medians:\n`);
  printTable(
    ['', 'req/s', '÷ nginx', '÷ direct', 'p50 µs', 'p99 µs', 'CPU µs/req', 'errors'],
    rounds.names.map((name) => [
      name,
      figure(rounds.median(name, perSecond)),
      figure(rounds.paired(name, 'nginx', perSecond, ratio), 2),
      figure(rounds.paired(name, 'direct', perSecond, ratio), 2),
      figure(rounds.median(name, ({ p50Us }) => p50Us)),
      figure(rounds.median(name, ({ p99Us }) => p99Us)),
      figure(
        rounds.median(name, ({ cpuUs }) => cpuUs),
        1,
      ),
      String(rounds.of(name).reduce((sum, { errors }) => sum + errors, 0)),
    ]),
  );
}
