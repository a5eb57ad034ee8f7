import { print, printTable } from '../support/distribution.ts';
import { figure, ratio, Rounds, type Bench, type Verdict } from './bench.ts';
import { cpuPerRequest, loadOn, perSecond, type LoadResult } from './load.ts';
import type { TargetName } from './targets.ts';

/** Connections, and what is wanted of Berth ÷ nginx. */
const LOADS = [
  { connections: 1, must: '-', aim: '-' },
  { connections: 64, must: '0.32', aim: '0.50' },
  { connections: 512, must: '0.25', aim: '0.45' },
];
/** Where the CPU time of a request is told: the steadiest figure, as other programs on the machine hardly change it. */
const CPU_AT = 64;
const TO_GO = { connections: 64, must: '1.5', aim: '2.4' };

type Results = Rounds<TargetName, LoadResult>;

/** Requests a second with one request under way on each connection, an answer of some 500 B at once, and the CPU time that a request takes. */
export async function measureThroughput(bench: Bench): Promise<readonly Verdict[]> {
  print('## Requests per second: closed loop, JSON\n');
  const verdicts: Verdict[] = [];
  for (const { connections, must, aim } of LOADS) {
    const rounds = await Rounds.run(bench.targets, bench, (target) => loadOn(target, connections, bench));
    printRounds(connections, rounds, bench);
    const measure = `req/s at ${connections} connection${connections === 1 ? '' : 's'} ÷ nginx`;
    verdicts.push({ measure, ...comparison(rounds, 'nginx'), must, aim });
    if (connections === CPU_AT) verdicts.push(cpuTime(connections, rounds));
    if (connections !== TO_GO.connections || !rounds.names.includes('go')) continue;
    const toGo = `req/s at ${connections} connections ÷ Go ReverseProxy (${figure(rounds.median('go', perSecond))})`;
    verdicts.push({ measure: toGo, ...comparison(rounds, 'go'), must: TO_GO.must, aim: TO_GO.aim });
  }
  return verdicts;
}

function comparison(rounds: Results, base: TargetName): Pick<Verdict, 'nginx' | 'berth' | 'value'> {
  return {
    nginx: figure(rounds.median('nginx', perSecond)),
    berth: figure(rounds.median('berth', perSecond)),
    value: figure(rounds.paired('berth', base, perSecond, ratio), 2),
  };
}

function cpuTime(connections: number, rounds: Results): Verdict {
  const [nginx, berth] = [rounds.median('nginx', cpuPerRequest), rounds.median('berth', cpuPerRequest)];
  const measure = `CPU µs per request at ${connections} connections, ÷ nginx's`;
  return { measure, nginx: figure(nginx, 1), berth: figure(berth, 1), value: figure(berth / nginx, 2), must: '-', aim: '-' };
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
      figure(rounds.median(name, cpuPerRequest), 1),
      String(rounds.of(name).reduce((sum, { errors }) => sum + errors, 0)),
    ]),
  );
}
