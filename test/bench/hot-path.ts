import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { createRegistryReader } from '@berth/redis';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { runClosedLoop, type LoadResult, type LoadTarget } from './support/closed-loop.ts';
import { median, print, printTable, quantile } from './support/distribution.ts';
import { printMachine } from './support/machine.ts';
import { buildMeasuringKit, isInstalled, KIT_MODELS, type MeasuringKit } from './support/measuring-kit.ts';
import { readCpuNs } from './support/process-usage.ts';

/**
 * Requests a second and added latency of the hot path: the same requests sent to an engine directly and through the edge, in turn, so that
 * whatever else the machine does meets both.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    /** What the measuring kit measures: json, rate, sse, hold, abort, slow. */
    modes: { type: 'string', default: 'json,rate,sse' },
  },
});
const CONNECTIONS = [1, 64];
/** Leases and renewals as in production. */
const PRODUCTION_LEASES = { leases: { ttl: '15s', renew: '2s' } };

printMachine('Hot path: requests per second and added latency');
await measureSimulatedEngine();
const { BENCH_KIT } = process.env;
if (BENCH_KIT === undefined) {
  print('No measuring kit was given (BENCH_KIT=<directory with upstream.c, lg.c and run.mjs>): no comparison with nginx and Go.');
} else {
  await using kit = await buildMeasuringKit(BENCH_KIT);
  if (kit !== null) await measureWithKit(kit);
}

async function measureSimulatedEngine(): Promise<void> {
  await using berth = await startBerth({
    models: { sim: { simulated: { timeToFirstTokenMs: 0, tokenDelayMs: 0 } } },
    catalog: PRODUCTION_LEASES,
  });
  await berth.chat('sim');
  const body = JSON.stringify({ model: 'sim', max_tokens: 1, messages: [{ role: 'user', content: 'a'.repeat(800) }] });
  const targets: Record<'direct' | 'edge', LoadTarget> = {
    direct: { port: await enginePort(berth, 'sim'), path: '/v1/chat/completions', body },
    edge: { port: edgePort(berth), path: '/v1/chat/completions', body },
  };
  const edgePid = berth.edges[0]?.pid ?? -1;
  for (const target of Object.values(targets)) await runClosedLoop(target, { connections: 64, durationMs: 2_000 });

  print('## Against the simulated engine');
  print(
    'Load generator, edge and simulated engine (a Node program that builds and counts tokens) share all cores without pinning; the engine',
  );
  print(
    `is the slowest of them. One token per answer, no token delay. ${options.rounds} rounds of ${options.seconds} s, direct and edge in turn.\n`,
  );
  for (const connections of CONNECTIONS) {
    const rounds: { direct: LoadResult; edge: LoadResult; edgeCpuUs: number }[] = [];
    for (let round = 0; round < Number(options.rounds); round += 1) {
      const load = { connections, durationMs: Number(options.seconds) * 1000 };
      const direct = await runClosedLoop(targets.direct, load);
      const cpuBefore = readCpuNs(edgePid);
      const edge = await runClosedLoop(targets.edge, load);
      rounds.push({ direct, edge, edgeCpuUs: (readCpuNs(edgePid) - cpuBefore) / 1000 / edge.latenciesMs.length });
    }
    printComparison(connections, rounds);
  }
}

function printComparison(
  connections: number,
  rounds: readonly { readonly direct: LoadResult; readonly edge: LoadResult; readonly edgeCpuUs: number }[],
): void {
  const rowOf = (name: string, pick: (round: (typeof rounds)[number]) => LoadResult): string[] => [
    name,
    median(rounds.map((round) => pick(round).requestsPerSecond)).toFixed(0),
    ...[0.5, 0.99].map((share) => (1000 * median(rounds.map((round) => quantile(pick(round).latenciesMs, share)))).toFixed(0)),
  ];
  const added = (share: number) =>
    (1000 * median(rounds.map(({ direct, edge }) => quantile(edge.latenciesMs, share) - quantile(direct.latenciesMs, share)))).toFixed(0);
  const ratio = median(rounds.map(({ direct, edge }) => edge.requestsPerSecond / direct.requestsPerSecond)).toFixed(2);
  print(`${connections} connection${connections === 1 ? '' : 's'}:\n`);
  printTable(
    ['', 'req/s', 'p50 µs', 'p99 µs', '÷ direct', 'added p50 µs', 'added p99 µs', 'edge CPU µs/req'],
    [
      [...rowOf('direct', (round) => round.direct), '1', '-', '-', '-'],
      [...rowOf('edge', (round) => round.edge), ratio, added(0.5), added(0.99), median(rounds.map((round) => round.edgeCpuUs)).toFixed(0)],
    ],
  );
}

async function measureWithKit(kit: MeasuringKit): Promise<void> {
  await using berth = await startBerth({
    models: {
      [KIT_MODELS[0]]: {
        engine: 'openai',
        source: undefined,
        gpus: 0,
        command: ['taskset', '-c', '1', kit.upstream, '{port}'],
        aliases: KIT_MODELS.slice(1),
      },
    },
    catalog: { ...PRODUCTION_LEASES, defaults: { kvCache: undefined } },
  });
  await berth.chat(KIT_MODELS[0]);
  const pid = berth.edges[0]?.pid ?? -1;
  execFileSync('taskset', ['-acp', '0', String(pid)], { stdio: 'ignore' });
  print('## With the measuring kit');
  print('Upstream and load generator in C on core 1, the proxy on core 0; rounds in turn, medians.');
  for (const missing of ['nginx', 'go'].filter((program) => !isInstalled(program))) print(`${missing} is not installed: no ratio to it.`);
  print('');
  for (const mode of options.modes.split(',')) {
    print(`### ${mode}`);
    await kit.measure(mode, { port: edgePort(berth), pid, upstreamPort: await enginePort(berth, KIT_MODELS[0]) });
  }
}

function edgePort(berth: BerthUnderTest): number {
  return Number(new URL(berth.urls[0] ?? '').port);
}

async function enginePort(berth: BerthUnderTest, model: string): Promise<number> {
  await using registry = createRegistryReader({ url: berth.redis.url, hostId: 'local', log: () => undefined });
  const { endpoints } = await registry.read();
  const endpoint = endpoints.find((one) => one.model === model && one.state === 'ready');
  const url = endpoint?.state === 'ready' ? (endpoint.urls.loopback ?? endpoint.urls.address) : null;
  if (url === null) throw new Error(`${model} is not ready`);
  return Number(new URL(url).port);
}
