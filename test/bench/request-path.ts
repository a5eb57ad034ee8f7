import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installBenchTools } from '../../scripts/install/bench-tools.ts';
import { chatBody, chatHeaders, CHAT_PATH, JSON_MODEL } from './request-path/chat-request.ts';
import type { Bench, Effort, Verdict } from './request-path/bench.ts';
import { startBerthWithEngines } from './request-path/engines.ts';
import { measureEventDelay } from './request-path/event-delay.ts';
import { buildGoProxy } from './request-path/go-proxy.ts';
import { measureLeavingClients } from './request-path/leaving-clients.ts';
import { measureOpenLoopLatency } from './request-path/open-loop-latency.ts';
import { measureSlowReaders } from './request-path/slow-readers.ts';
import { measureStreamMemory } from './request-path/stream-memory.ts';
import { direct, edge, go, nginx, type StartTarget, type Target, type TargetName } from './request-path/targets.ts';
import { measureThroughput } from './request-path/throughput.ts';
import { measureTwoWorkers } from './request-path/two-workers.ts';
import { print, printTable } from './support/distribution.ts';
import { Interruption, onInterruption } from './support/interruption.ts';
import { printMachine } from './support/machine.ts';
import { choosePins, pin } from './support/pins.ts';
import { Wrk } from './support/wrk.ts';

/** The request path side by side: no hop, nginx, Go's reverse proxy, and Berth's edge with everything on, in front of the same upstreams. */
const MEASUREMENTS = {
  throughput: measureThroughput,
  latency: measureOpenLoopLatency,
  delay: measureEventDelay,
  memory: measureStreamMemory,
  slow: measureSlowReaders,
  leave: measureLeavingClients,
  workers: measureTwoWorkers,
} as const;
const WARM_UP = { connections: 64, seconds: 3 };
const LONGEST_RUN_MS = 15 * 60_000;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    streams: { type: 'string' },
    only: { type: 'string', default: Object.keys(MEASUREMENTS).join(',') },
  },
});
const effort: Effort = {
  rounds: Number(options.rounds ?? (options.quick ? 1 : 3)),
  seconds: Number(options.seconds ?? (options.quick ? 1 : 2)),
  openStreams: Number(options.streams ?? 1000),
};

const signal = onInterruption(LONGEST_RUN_MS);
try {
  const missing = await installBenchTools({ env: process.env, say: (line) => print(`bench: ${line}`) });
  if (missing.length > 0) process.exitCode = 1;
  else await run();
} catch (error) {
  if (!signal.aborted) throw error;
  print(`bench: stopped before the end: ${signal.reason instanceof Interruption ? signal.reason.message : String(signal.reason)}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  printMachine('The request path');
  const cores = availableParallelism();
  const pins = choosePins(process.env, cores);
  pin(process.pid, pins?.load);
  print(pins === null ? 'Nothing is pinned to a core.' : 'Pinned: proxies on core 0; upstreams and load generators on core 1.');
  print(
    'Berth has keys, limits, leases, metrics and its log line on, nginx no log. JSON comes from an nginx that answers at once, streams from a',
  );
  print('Node program that paces them. Figures of one run compare with each other only.');

  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const berth = opened.use(await startBerthWithEngines(directory));
  const { upstream, key } = berth;
  const start = new Map<TargetName, StartTarget>([
    ['direct', direct(upstream)],
    ['nginx', nginx(directory, upstream, pins)],
  ]);
  const goProxy = options.quick ? { missing: 'a quick run does without' } : await buildGoProxy(directory, process.env);
  if ('program' in goProxy) start.set('go', go(directory, goProxy.program, upstream, pins));
  else print(`Go's reverse proxy is left out: ${goProxy.missing}.`);
  start.set('berth', edge(berth, pins?.proxy));
  print('');

  const targets = new Map<TargetName, Target>();
  for (const [name, startTarget] of start) {
    signal.throwIfAborted();
    targets.set(name, opened.use(await startTarget()));
  }
  const request = { path: CHAT_PATH, headers: chatHeaders(key), body: chatBody(JSON_MODEL, false) };
  const bench: Bench = { effort, berth, upstream, pins, cores, targets, start, signal, wrk: await Wrk.create(directory, request) };
  // Programs in Node and Go become faster while they run.
  for (const { ports } of targets.values()) await bench.wrk.load(ports.json, { ...WARM_UP, signal });
  const verdicts: Verdict[] = [];
  for (const [name, measure] of Object.entries(MEASUREMENTS)) {
    signal.throwIfAborted();
    if (options.only.split(',').includes(name)) verdicts.push(...(await measure(bench)));
  }
  print('## Against what is wanted\n');
  printTable(
    ['measure', 'nginx', 'berth', 'ratio or value', 'must', 'aim'],
    verdicts.map(({ measure, nginx: reference, berth: own, value, must, aim }) => [measure, reference, own, value, must, aim]),
  );
}
