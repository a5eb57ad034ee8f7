import { print, printTable, quantile } from '../support/distribution.ts';
import { difference, figure, Rounds, type Bench, type Verdict } from './bench.ts';
import { StreamGroup } from './stream-groups.ts';
import type { Target } from './targets.ts';
import { awaitActive } from './upstream-report.ts';

const STREAMS = 200;
const PACE_MS = 10;
const WARM_UP_EVENTS = 50;
/** Not a divisor of the pace, so that the streams' events are spread over it. */
const OPENED_EVERY_MS = 1.05;

interface Result {
  readonly p50Us: number;
  readonly p99Us: number;
  /** Events that did not arrive. */
  readonly lost: number;
}
const p50 = ({ p50Us }: Result): number => p50Us;
const p99 = ({ p99Us }: Result): number => p99Us;

/** One-way delay of every event, from its writing at the upstream to its arrival at the client. */
export async function measureEventDelay(bench: Bench): Promise<readonly Verdict[]> {
  const { effort } = bench;
  const events = (effort.seconds * 1000) / PACE_MS;
  for (const target of bench.targets.values()) await delaysOf(target, WARM_UP_EVENTS, bench);
  const rounds = await Rounds.run(bench.targets, bench, (target) => delaysOf(target, events, bench));

  print(`## Streams: ${STREAMS} at once, an event each ${PACE_MS} ms\n`);
  print(
    'Delay of an event: from its writing at the upstream to its arrival at the client, by one clock. Both ends are Node programs on one',
  );
  print(
    `core, whose own delay is the direct line. ${effort.rounds} rounds of ${events} events each; added: to direct, in the same round.\n`,
  );
  printTable(
    ['', 'delay p50 µs', 'delay p99 µs', 'added p50 µs', 'added p99 µs', 'events lost'],
    rounds.names.map((name) => [
      name,
      figure(rounds.median(name, p50)),
      figure(rounds.median(name, p99)),
      figure(rounds.paired(name, 'direct', p50, difference)),
      figure(rounds.paired(name, 'direct', p99, difference)),
      String(rounds.of(name).reduce((sum, result) => sum + result.lost, 0)),
    ]),
  );
  const addedMs = (name: 'nginx' | 'berth'): string => figure(rounds.paired(name, 'direct', p50, difference) / 1000, 3);
  return [
    {
      measure: `added delay per SSE event, ${STREAMS} streams, p50, ms`,
      nginx: addedMs('nginx'),
      berth: addedMs('berth'),
      value: addedMs('berth'),
      must: '0.2',
      aim: '0.1',
    },
  ];
}

async function delaysOf({ ports }: Target, events: number, { berth, upstream }: Bench): Promise<Result> {
  const delaysUs: number[] = [];
  using group = new StreamGroup();
  await group.open({
    count: STREAMS,
    key: berth.key,
    port: ports.streams,
    answer: { firstByteMs: 0, events, paceMs: PACE_MS },
    everyMs: OPENED_EVERY_MS,
    onDelay: (delayUs) => delaysUs.push(delayUs),
  });
  await Promise.all(group.streams.map(({ client }) => client.whole));
  await awaitActive(upstream.streams, 0);
  return { p50Us: quantile(delaysUs, 0.5), p99Us: quantile(delaysUs, 0.99), lost: STREAMS * events - delaysUs.length };
}
