import type { SimulatedHost } from '@berth/simulator';
import { readCard, type CardState, type GpuDescription, type ModelProfile } from '@berth/simulator';
import { startRedis, type TestRedis } from '@berth/redis/testing';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import OpenAI from 'openai';
import { stringify } from 'yaml';
import { eventually } from './eventually.ts';
import { startService, type Service } from './service.ts';
import { openTestHost, type ContainerUnderTest, type EngineUnderTest } from './test-host.ts';

/** Protocol durations that tests need not wait for. */
export const FAST_PROTOCOL = {
  leases: { ttl: '3s', renew: '300ms', quiet: '200ms' },
  leader: { ttl: '3s', renew: '500ms', abortAfter: '2s' },
  engineIdle: { samples: 3, every: '60ms', unreadable: '5s' },
  residency: { minimum: '300ms', idle: '100ms' },
  drain: { timeout: '5s' },
  stop: { grace: '3s' },
  memoryRelease: { timeout: '10s' },
  quarantine: { base: '1s', max: '4s' },
} as const;

export interface ModelUnderTest {
  readonly [key: string]: unknown;
  /** How the simulated engine behaves; not part of the catalog. */
  readonly simulated?: Partial<ModelProfile>;
}

export interface BerthOptions {
  readonly models: Readonly<Record<string, ModelUnderTest>>;
  readonly gpus?: readonly GpuDescription[];
  readonly edges?: number;
  /** Default `process`. */
  readonly runtime?: 'process' | 'docker';
  /** Over the services' environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files below the installation's folder, by relative path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Changes the simulated host before anything of Berth starts. */
  readonly prepare?: (host: SimulatedHost) => Promise<void>;
  /** Merged over the fast protocol. */
  readonly catalog?: Readonly<Record<string, unknown>>;
}

/** A whole Berth on this machine: Redis, orchestrator, edges, and a simulated GPU host under the `process` runtime. */
export interface BerthUnderTest extends AsyncDisposable {
  readonly directory: string;
  readonly redis: TestRedis;
  readonly host: SimulatedHost;
  readonly edges: readonly Service[];
  readonly urls: readonly string[];
  readonly footprintsFile: string;
  /** Containers or processes of engines that exist right now, running or not. */
  readonly engines: () => Promise<readonly EngineUnderTest[]>;
  /** What the Docker engine tells of each engine's container; empty under `process`. */
  readonly inspect: () => Promise<readonly ContainerUnderTest[]>;
  readonly orchestrator: () => Service;
  /** Starts the orchestrator anew, after it was killed, or a second one beside it. */
  readonly startOrchestrator: () => Promise<Service>;
  readonly client: (edge?: number) => OpenAI;
  readonly chat: (model: string, edge?: number) => Promise<OpenAI.ChatCompletion>;
  readonly state: (edge?: number) => Promise<AdminState>;
  readonly card: () => CardState;
  readonly writeCatalog: (models: Readonly<Record<string, ModelUnderTest>>) => Promise<void>;
}

/** What tests read of `GET /admin/v1/state`. */
export interface AdminState {
  readonly endpoints: readonly {
    readonly model: string;
    readonly generation: string;
    readonly state: string;
    readonly inFlight: number;
    readonly lastUsedAtMs: number | null;
    readonly phase: string | null;
    readonly discovery: boolean;
    readonly allocations: readonly { readonly gpuUuid: string; readonly vramMiB: number }[];
  }[];
  readonly claims: readonly { readonly model: string; readonly victims: readonly string[] }[];
  readonly wishes: readonly { readonly model: string; readonly kind: string }[];
  readonly quarantines: readonly { readonly model: string }[];
  readonly edges: readonly { readonly waiters: readonly { readonly model: string; readonly count: number }[] }[];
  readonly gpus: readonly { readonly uuid: string; readonly foreignMiB: number | null; readonly usedMiB: number | null }[];
  readonly readingsAvailable: boolean | null;
}

export async function startBerth(options: BerthOptions): Promise<BerthUnderTest> {
  await using opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-test-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const redis = opened.use(await startRedis());
  await mkdir(join(directory, 'data'));
  const testHost = opened.use(
    await openTestHost(options.runtime ?? 'process', {
      directory,
      gpus: options.gpus ?? [{ memoryTotalMiB: 24_576 }],
      profiles: profilesOf(options.models),
    }),
  );
  const { host } = testHost;
  await options.prepare?.(host);
  for (const [path, text] of Object.entries(options.files ?? {})) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  const catalogPath = join(directory, 'berth.yaml');
  const writeCatalog = (models: BerthOptions['models']) =>
    writeFile(catalogPath, stringify(catalogOf({ ...options, models }, testHost.catalog)));
  await writeCatalog(options.models);

  const footprintsFile = join(directory, 'data', 'memory_footprints.json');
  const shared = {
    ...testHost.env,
    BERTH_REDIS_URL: redis.url,
    BERTH_CONFIG: catalogPath,
    BERTH_FOOTPRINTS_FILE: footprintsFile,
    BERTH_LOG_LEVEL: 'debug',
    ...options.env,
  };
  let started = 0;
  let present: Service;
  const startOrchestrator = async () => {
    const port = await findFreePort();
    started += 1;
    const service = await startService('orchestrator', {
      env: { ...shared, BERTH_ORCHESTRATOR_PORT: String(port) },
      logFile: join(directory, `orchestrator-${started}.log`),
      readyUrl: `http://127.0.0.1:${port}/health/live`,
      cwd: directory,
    });
    present = service;
    return service;
  };
  opened.use(await startOrchestrator());
  const edges: Service[] = [];
  const urls: string[] = [];
  for (let index = 0; index < (options.edges ?? 1); index += 1) {
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}`;
    edges.push(
      opened.use(
        await startService('edge', {
          env: { ...shared, BERTH_PORT: String(port) },
          logFile: join(directory, `edge-${index}.log`),
          readyUrl: `${url}/health/ready`,
          cwd: directory,
        }),
      ),
    );
    urls.push(url);
  }
  const urlOf = (edge = 0): string => urls[edge] ?? '';
  const client = (edge = 0) => new OpenAI({ baseURL: `${urlOf(edge)}/v1`, apiKey: 'none', maxRetries: 0, timeout: 120_000 });
  await eventually('a leader', async () => (await fetch(`${urlOf()}/health/placement`)).status === 200, 60_000);

  const resources = opened.move();
  return {
    directory,
    redis,
    host,
    edges,
    urls,
    footprintsFile,
    engines: () => testHost.engines(),
    inspect: () => testHost.inspect(),
    orchestrator: () => present,
    startOrchestrator: async () => {
      const service = await startOrchestrator();
      resources.use(service);
      return service;
    },
    client,
    chat: (model, edge) => client(edge).chat.completions.create({ model, messages: [{ role: 'user', content: 'hello' }], max_tokens: 4 }),
    state: async (edge) => {
      const response = await fetch(`${urlOf(edge)}/admin/v1/state`);
      return response.json() as Promise<AdminState>;
    },
    card: () => readCard(host.stateDirectory),
    writeCatalog,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Names of the models that serve right now. */
export function readyModels(state: AdminState): readonly string[] {
  return state.endpoints
    .filter((endpoint) => endpoint.state === 'ready')
    .map((endpoint) => endpoint.model)
    .toSorted();
}

function profilesOf(models: BerthOptions['models']): Record<string, Partial<ModelProfile>> {
  return Object.fromEntries(
    Object.entries(models).map(([name, { simulated, source }]) => [
      typeof source === 'string' ? source : `sim/${name}`,
      { ...QUICK, ...simulated },
    ]),
  );
}

/** A load that takes about a second, and answers at once. */
const QUICK: Partial<ModelProfile> = {
  importMs: 50,
  engineImportMs: 50,
  deviceMs: 30,
  weightsMs: 150,
  profileMs: 30,
  compileMs: 50,
  captureMs: 30,
  serverMs: 20,
  timeToFirstTokenMs: 5,
  tokenDelayMs: 2,
  exitMs: 20,
  orphanMs: 200,
};

function catalogOf(options: BerthOptions, ofHost: { readonly host: object; readonly defaults: object }): Record<string, unknown> {
  const models = Object.entries(options.models).map(([name, model]) => [name, { source: `sim/${name}`, ...model, simulated: undefined }]);
  const { host = {}, defaults = {}, ...rest } = options.catalog ?? {};
  return {
    ...FAST_PROTOCOL,
    ...rest,
    host: { reserve: '256MiB', ...ofHost.host, ...(host as object) },
    defaults: { kvCache: '1GiB', idleTimeout: '10m', loadTimeout: '60s', ...ofHost.defaults, ...(defaults as object) },
    models: Object.fromEntries(models),
  };
}

export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}
