import { setTimeout as sleep } from 'node:timers/promises';
import { print, printTable, quantile } from '../support/distribution.ts';
import { processTree, readRssBytes } from '../support/process-usage.ts';
import { figure, type Bench, type Verdict } from './bench.ts';
import { StreamGroup, type NamedStream } from './stream-groups.ts';
import type { Target, TargetName } from './targets.ts';
import { awaitActive, readUpstream } from './upstream-report.ts';

const STREAMS = 200;
const SLOW = 50;
const PAUSE_MS = 500;
const PACE_MS = 10;
/** For the buffers between the upstream and a slow reader to be full. */
const FILL_MS = 1500;

interface Result {
  /** Of a slow stream, taken from the upstream and not yet read by the client; the middle one. */
  readonly heldBytes: number;
  /** By how much that grew afterwards. */
  readonly grownBytes: number;
  /** Memory of the proxy, per slow stream. */
  readonly rssBytes: number;
  /** Delay of the other streams' events. */
  readonly othersP99Us: number;
}

/** What is held for clients that read slowly what comes as fast as it is taken, beside others that keep up. */
export async function measureSlowReaders(bench: Bench): Promise<readonly Verdict[]> {
  const results = new Map<TargetName, Result>();
  for (const [name, target] of bench.targets) {
    bench.signal.throwIfAborted();
    results.set(name, await readSlowly(target, bench));
  }

  print(`## Slow readers: ${SLOW} of ${STREAMS} streams\n`);
  print(
    `They take one piece each ${PAUSE_MS} ms of a stream that comes as fast as it is taken; the others get an event each ${PACE_MS} ms. Held: taken`,
  );
  print('from the upstream and not read by the client, which includes the buffers of the sockets (the direct line is those alone).\n');
  printTable(
    ['', 'held MB per slow stream', `grown in ${bench.effort.seconds} s, MB`, 'memory MB per slow stream', 'delay of the others p99 ms'],
    [...results].map(([name, { heldBytes, grownBytes, rssBytes, othersP99Us }]) => [
      name,
      figure(heldBytes / 1e6, 2),
      figure(grownBytes / 1e6, 2),
      figure(rssBytes / 1e6, 2),
      figure(othersP99Us / 1e3, 1),
    ]),
  );
  const held = (name: TargetName): string => figure((results.get(name)?.heldBytes ?? Number.NaN) / 1e6, 2);
  const grown = figure((results.get('berth')?.grownBytes ?? Number.NaN) / 1e6, 2);
  return [
    {
      measure: `${SLOW} slow readers of ${STREAMS}: held per slow stream, MB`,
      nginx: held('nginx'),
      berth: held('berth'),
      value: `grows by ${grown}`,
      must: 'bounded',
      aim: 'bounded',
    },
  ];
}

async function readSlowly(target: Target, { berth, upstream, effort, signal }: Bench): Promise<Result> {
  using group = new StreamGroup();
  const common = { key: berth.key, port: target.ports.streams, everyMs: 1.05 };
  const rssBytes = (): number =>
    target.pid === null ? Number.NaN : processTree(target.pid).reduce((sum, pid) => sum + readRssBytes(pid), 0);
  const delaysUs: number[] = [];
  const paced = { firstByteMs: 0, events: 1_000_000, paceMs: PACE_MS };
  await group.open({ ...common, count: STREAMS - SLOW, answer: paced, onDelay: (delayUs) => delaysUs.push(delayUs) });
  await Promise.all(group.streams.map(({ client }) => client.firstEvent));
  const before = rssBytes();
  const slow = await group.open({ ...common, count: SLOW, answer: { firstByteMs: 0, events: 1e9, paceMs: 0 }, pauseMs: PAUSE_MS });
  await Promise.all(slow.map(({ client }) => client.firstEvent));
  await sleep(FILL_MS, undefined, { signal });
  const full = await heldBy(slow, upstream.streams);
  delaysUs.length = 0;
  await sleep(effort.seconds * 1000, undefined, { signal });
  const later = await heldBy(slow, upstream.streams);
  const result = {
    heldBytes: later,
    grownBytes: later - full,
    rssBytes: (rssBytes() - before) / SLOW,
    othersP99Us: quantile(delaysUs, 0.99),
  };
  group[Symbol.dispose]();
  await awaitActive(upstream.streams, 0);
  return result;
}

async function heldBy(slow: readonly NamedStream[], upstreamPort: number): Promise<number> {
  const { takenBytes } = await readUpstream(upstreamPort);
  return quantile(
    slow.map(({ id, client }) => (takenBytes[id] ?? Number.NaN) - client.bytesRead),
    0.5,
  );
}
