import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createRegistryReader } from '@berth/redis';
import { findFreePort, startBerth, type BerthUnderTest } from '../../support/berth.ts';
import { startService, type Service } from '../../support/service.ts';

/** A Berth with all that it does in production: keys, limits, metrics, log lines at `info` into a file, leases as long as they are by default. */
export interface BenchBerth extends AsyncDisposable {
  readonly berth: BerthUnderTest;
  /** A key with every right, and limits that no load reaches. */
  readonly key: string;
}

/** Its models are engines of the `openai` kind without a GPU, each started with its command. */
export async function startBenchBerth(
  models: Readonly<Record<string, { readonly command: readonly string[]; readonly aliases?: readonly string[] }>>,
): Promise<BenchBerth> {
  const key = randomBytes(24).toString('hex');
  const sha256 = createHash('sha256').update(key).digest('hex');
  const berth = await startBerth({
    models: Object.fromEntries(
      Object.entries(models).map(([name, model]) => [name, { engine: 'openai', source: undefined, gpus: 0, idleTimeout: '1h', ...model }]),
    ),
    catalog: {
      leases: { ttl: '15s', renew: '2s' },
      defaults: { kvCache: undefined },
      keys: [{ id: 'bench', sha256, rights: ['use', 'place', 'displace'], maxInFlight: 1_000_000, requestsPerMinute: 1_000_000 }],
    },
    env: { BERTH_LOG_LEVEL: 'info' },
  });
  return { berth, key, [Symbol.asyncDispose]: () => berth[Symbol.asyncDispose]() };
}

/** Another edge of the same Berth, in so many processes. */
export async function startEdgeBeside(
  { berth }: BenchBerth,
  workers: number,
): Promise<{ readonly service: Service; readonly port: number }> {
  const port = await findFreePort();
  const service = await startService(workers === 1 ? 'edge' : 'workers', {
    env: { ...berth.edges[0]?.env, BERTH_PORT: String(port), BERTH_EDGE_WORKERS: String(workers) },
    logFile: join(berth.directory, `edge-at-${port}.log`),
    readyUrl: `http://127.0.0.1:${port}/health/ready`,
    cwd: berth.directory,
  });
  return { service, port };
}

export function edgePort({ berth }: BenchBerth): number {
  return Number(new URL(berth.urls[0] ?? '').port);
}

/** Where the engine of a model listens that is ready. */
export async function enginePort({ berth }: BenchBerth, model: string): Promise<number> {
  await using registry = createRegistryReader({ url: berth.redis.url, hostId: 'local', log: () => undefined });
  const { endpoints } = await registry.read();
  const endpoint = endpoints.find((one) => one.model === model && one.state === 'ready');
  const url = endpoint?.state === 'ready' ? (endpoint.urls.loopback ?? endpoint.urls.address) : null;
  if (url === null) throw new Error(`${model} is not ready`);
  return Number(new URL(url).port);
}
