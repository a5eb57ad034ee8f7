import { print, printTable, quantile } from '../support/distribution.ts';
import { runOpenLoop } from '../support/open-loop.ts';
import { difference, figure, Rounds, type Bench, type Verdict } from './bench.ts';
import { chatBody, chatRequest, JSON_MODEL } from './chat-request.ts';

const REQUESTS_PER_SECOND = 300;

interface Result {
  readonly p50Us: number;
  readonly p99Us: number;
}
const p50 = ({ p50Us }: Result): number => p50Us;
const p99 = ({ p99Us }: Result): number => p99Us;

/** What a hop adds to a request where nothing waits for a core. */
export async function measureOpenLoopLatency(bench: Bench): Promise<readonly Verdict[]> {
  const { effort, berth } = bench;
  const body = chatBody(JSON_MODEL, false);
  const rounds = await Rounds.run(bench.targets, bench, async ({ ports }): Promise<Result> => {
    const load = { requestsPerSecond: REQUESTS_PER_SECOND, durationMs: effort.seconds * 1000 };
    const latenciesMs = await runOpenLoop(ports.json, chatRequest(ports.json, berth.key, body), load);
    return { p50Us: 1000 * quantile(latenciesMs, 0.5), p99Us: 1000 * quantile(latenciesMs, 0.99) };
  });

  print(`## Added latency: open loop, ${REQUESTS_PER_SECOND} requests a second\n`);
  print(`The load generator is a Node program. ${effort.rounds} rounds of ${effort.seconds} s; added: to direct, in the same round.\n`);
  printTable(
    ['', 'p50 µs', 'p99 µs', 'added p50 µs', 'added p99 µs'],
    rounds.names.map((name) => [
      name,
      figure(rounds.median(name, p50)),
      figure(rounds.median(name, p99)),
      figure(rounds.paired(name, 'direct', p50, difference)),
      figure(rounds.paired(name, 'direct', p99, difference)),
    ]),
  );
  const [nginx, edge] = (['nginx', 'berth'] as const).map((name) => rounds.paired(name, 'direct', p50, difference));
  return [
    {
      measure: `added p50 at ${REQUESTS_PER_SECOND} req/s open loop, µs, ÷ nginx's`,
      nginx: figure(nginx ?? Number.NaN),
      berth: figure(edge ?? Number.NaN),
      value: figure((edge ?? Number.NaN) / (nginx ?? Number.NaN), 2),
      must: '2.6',
      aim: '2.0',
    },
  ];
}
