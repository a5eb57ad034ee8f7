import { setTimeout as sleep } from 'node:timers/promises';
import { print, printTable } from '../support/distribution.ts';
import { processTree, readRssBytes } from '../support/process-usage.ts';
import { figure, type Bench, type Verdict } from './bench.ts';
import { StreamGroup } from './stream-groups.ts';
import type { StartTarget, TargetName } from './targets.ts';
import { awaitActive } from './upstream-report.ts';

/** Before what is measured, so that code and buffers that every process needs once are there. */
const WARM_UP_STREAMS = 100;
const PACE_MS = 1000;
const OPENED_EVERY_MS = 1;
/** For every stream to have had some events. */
const SETTLE_MS = 3000;
const ENDLESS = { firstByteMs: 0, events: 1_000_000, paceMs: PACE_MS };

interface Result {
  readonly beforeBytes: number;
  readonly afterBytes: number;
  readonly perStreamBytes: number;
}

/** Memory that an open stream takes, of proxies that were just started: those that had a load before may have kept what they need. */
export async function measureStreamMemory(bench: Bench): Promise<readonly Verdict[]> {
  const { openStreams } = bench.effort;
  const results = new Map<TargetName, Result>();
  for (const [name, start] of bench.start) {
    bench.signal.throwIfAborted();
    if (name !== 'direct') results.set(name, await holdStreams(start, bench));
  }

  print(`## Memory: ${openStreams} streams open at once, an event each ${PACE_MS / 1000} s\n`);
  print(
    'Resident memory of all processes of the proxy, before and with the streams. Each proxy is started for this, and had a few streams before.\n',
  );
  printTable(
    ['', 'before MB', 'with streams MB', 'kB per stream'],
    [...results].map(([name, { beforeBytes, afterBytes, perStreamBytes }]) => [
      name,
      figure(beforeBytes / 1e6, 1),
      figure(afterBytes / 1e6, 1),
      figure(perStreamBytes / 1e3, 1),
    ]),
  );
  const perStream = (name: TargetName): string => figure((results.get(name)?.perStreamBytes ?? Number.NaN) / 1e3, 1);
  return [
    {
      measure: `memory per open stream, ${openStreams} streams, kB`,
      nginx: perStream('nginx'),
      berth: perStream('berth'),
      value: perStream('berth'),
      must: '40',
      aim: '25',
    },
  ];
}

async function holdStreams(start: StartTarget, bench: Bench): Promise<Result> {
  await using target = await start();
  const rssBytes = (): number => processTree(target.pid ?? -1).reduce((sum, pid) => sum + readRssBytes(pid), 0);
  const hold = async (count: number): Promise<number> => {
    using group = new StreamGroup();
    await group.open({ count, key: bench.berth.key, port: target.ports.streams, answer: ENDLESS, everyMs: OPENED_EVERY_MS });
    await Promise.all(group.streams.map(({ client }) => client.firstEvent));
    await sleep(SETTLE_MS, undefined, { signal: bench.signal });
    return rssBytes();
  };
  await hold(WARM_UP_STREAMS);
  await awaitActive(bench.upstream.streams, 0);
  const beforeBytes = rssBytes();
  const { openStreams } = bench.effort;
  const afterBytes = await hold(openStreams);
  await awaitActive(bench.upstream.streams, 0);
  return { beforeBytes, afterBytes, perStreamBytes: (afterBytes - beforeBytes) / openStreams };
}
