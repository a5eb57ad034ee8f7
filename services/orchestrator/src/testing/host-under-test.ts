import type { Endpoint, Footprint, ModelName, PlacementRight, RegistryState } from '@berth/core';
import { asId, isOperationalError } from '@berth/core';
import { launchSignature, loadCatalog } from '@berth/config';
import {
  createEdgeSession,
  createEndpointRegistry,
  createFootprintStore,
  createLeadership,
  createPlacementClient,
  createPlacementWorker,
  createRegistryReader,
  type RedisEdgeSession,
  type RedisPlacementClient,
  type RedisRegistryReader,
} from '@berth/redis';
import { createLogger, createSieve } from '@berth/telemetry';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createInMemoryRuntime } from '../../../../test/support/in-memory-runtime.ts';
import { GpuMonitor } from '../tasks/gpu-monitor.ts';
import { OrchestratorMetrics } from '../telemetry/orchestrator-metrics.ts';
import { HostClock } from '../term/host-clock.ts';
import { runTerm } from '../term/run-term.ts';
import type { Host } from '../term/term-context.ts';
import { CrashSwitch, type CrashPoint } from './crash-point.ts';
import { parseMetrics, type Scrape } from '../../../../test/support/parse-metrics.ts';
import { SimulatedEngines, type CardUnderTest, type EngineBehaviour } from './simulated-engines.ts';

const IMAGE = 'vllm/vllm-openai:v0.30.0';

/** Durations that tests need not wait for. */
const QUICK_PROTOCOL = {
  leases: { ttl: '1500ms', renew: '50ms', quiet: '50ms' },
  leader: { ttl: '2s', renew: '100ms', abortAfter: '1500ms' },
  engineIdle: { samples: 2, every: '20ms', unreadable: '2s' },
  residency: { minimum: '100ms', idle: '50ms' },
  drain: { timeout: '2s' },
  stop: { grace: '1s' },
  memoryRelease: { timeout: '2s' },
  quarantine: { base: '30s', max: '60s' },
};

export interface HostOptions {
  readonly redisUrl: string;
  readonly models: Readonly<Record<string, Readonly<Record<string, unknown>> & { readonly engineIs?: EngineBehaviour }>>;
  readonly cards?: readonly CardUnderTest[];
  /** Merged over the quick protocol. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Of the first process; the ones that follow live on. */
  readonly crash?: CrashPoint;
}

/** Terms of the orchestrator on a real Redis, above engines and cards in memory, and one edge that asks for models. */
export class HostUnderTest implements AsyncDisposable {
  readonly engines: SimulatedEngines;
  readonly reader: RedisRegistryReader;
  readonly session: RedisEdgeSession;
  readonly client: RedisPlacementClient;
  readonly logLines: Readonly<Record<string, unknown>>[] = [];
  /** One per process that led, in order. */
  readonly crashes: CrashSwitch[] = [];
  readonly directory: string;
  /** Called before every call of the runtime; what it throws, the call throws. */
  onRuntimeCall: (operation: string, subject: unknown) => void = () => undefined;
  #models: HostOptions['models'];
  readonly #options: HostOptions;
  readonly #opened: AsyncDisposableStack;
  readonly #hostId: string;
  #ending = new AbortController();
  #metrics = new OrchestratorMetrics({ models: [], readings: { latest: null, failures: 0 }, now: Date.now });
  #leading: Promise<void> = Promise.resolve();

  constructor(
    options: HostOptions,
    opened: AsyncDisposableStack,
    parts: Pick<HostUnderTest, 'engines' | 'reader' | 'session' | 'client' | 'directory'> & { readonly hostId: string },
  ) {
    this.#options = options;
    this.#models = options.models;
    this.#opened = opened;
    this.#hostId = parts.hostId;
    this.engines = parts.engines;
    this.reader = parts.reader;
    this.session = parts.session;
    this.client = parts.client;
    this.directory = parts.directory;
  }

  /** Begins to lead as a process that was just started would. */
  lead(): void {
    this.#ending = new AbortController();
    this.#leading = this.#lead(this.#ending.signal);
  }

  /** Ends the process that leads; engines run on. */
  async endProcess(): Promise<void> {
    this.#ending.abort();
    await this.#leading;
  }

  /** What the next process reads as its catalog. */
  changeModels(models: HostOptions['models']): void {
    this.#models = models;
    for (const [name, { engineIs }] of Object.entries(models)) this.engines.behaviours.set(asId(name), engineIs ?? {});
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { redisUrl } = this.#options;
    const target = { url: redisUrl, hostId: this.#hostId, log: () => undefined };
    const catalog = loadCatalog({ path: join(this.directory, 'berth.yaml'), home: this.directory, text: this.#catalogText() });
    const { protocol } = catalog;
    await using opened = new AsyncDisposableStack();
    const footprints = opened.use(await createFootprintStore({ target, file: join(this.directory, 'memory_footprints.json') }));
    const registry = opened.use(
      createEndpointRegistry({ target, leaseTtlMs: protocol.leases.ttlMs, leaseQuietMs: protocol.leases.quietMs }),
    );
    const jobs = opened.use(createPlacementWorker({ target }));
    const leadership = opened.use(createLeadership({ target, id: randomUUID(), ...protocol.leader }));
    const runtime = createInMemoryRuntime({
      host: this.engines.host,
      installationId: asId('installation'),
      hostId: catalog.host.id,
      program: this.engines.program,
      urlOf: this.engines.urlOf,
    });
    const preloading = { done: false };
    await leadership.run(async (term) => {
      const crash = new CrashSwitch(this.crashes.length === 0 ? (this.#options.crash ?? null) : null);
      this.crashes.push(crash);
      const clock = new HostClock(Date.now);
      const now = () => clock.nowMs();
      const log = createLogger({
        service: 'orchestrator',
        level: 'debug',
        destination: { write: (line) => void this.logLines.push(JSON.parse(line) as Record<string, unknown>) },
      });
      const gpus = new GpuMonitor({ probe: this.engines.probe, log, now, retryAfterMs: 50 });
      this.#metrics = new OrchestratorMetrics({ models: catalog.models, readings: gpus, now });
      const host: Host = {
        catalog,
        signatures: new Map(catalog.models.map((model) => [model.name, launchSignature(model)])),
        installationId: asId('installation'),
        reach: 'address',
        environment: {},
        vllmCacheVolume: 'cache',
        huggingfaceHome: null,
        registry: crash.guard(registry, ['commit', 'stopDrained']),
        jobs,
        runtime: crash.guard(this.#watched(runtime), ['createEngine', 'startEngine', 'stopEngine', 'removeEngine']),
        engines: this.engines.client,
        gpus,
        clock,
        log,
        metrics: this.#metrics,
        sieve: createSieve([]),
        problems: () => [],
        preloading,
      };
      await runTerm(host, crash.guard(footprints, ['put']), term);
    }, signal);
  }

  #watched<Part extends object>(part: Part): Part {
    return new Proxy(part, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          this.onRuntimeCall(String(key), args[0]);
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
  }

  #catalogText(): string {
    const models = Object.entries(this.#models).map(([name, model]) => [name, { source: `test/${name}`, ...model, engineIs: undefined }]);
    const { host = {}, defaults = {}, ...settings } = this.#options.settings ?? {};
    return JSON.stringify({
      ...QUICK_PROTOCOL,
      ...settings,
      host: { reserve: '0GiB', ...(host as object) },
      defaults: { image: IMAGE, kvCache: '1GiB', ...(defaults as object) },
      models: Object.fromEntries(models),
    });
  }

  /** A request of the edge: waits until the model may be used, as the edge does, and returns the generation that it may be sent to. */
  async request(name: string, options: { readonly right?: PlacementRight; readonly withinMs?: number } = {}): Promise<string> {
    const model = asId<ModelName>(name);
    const { right = 'displace', withinMs = 20_000 } = options;
    const signal = AbortSignal.timeout(withinMs);
    const hot = this.session.begin(model);
    if (hot !== null) return useOnce(hot);
    const now = Date.now();
    const ticket = await this.session.join({ model, right, arrivedAtMs: now, deadlineAtMs: now + withinMs });
    try {
      for (;;) {
        signal.throwIfAborted();
        const answer = await this.session.acquire(model);
        const slot = answer.kind === 'ready' ? this.session.begin(model) : null;
        if (slot !== null) return useOnce(slot);
        await this.client.place(model, { signal });
        await sleep(5);
      }
    } finally {
      ticket.leave();
    }
  }

  /** How a request that is refused is refused. */
  async refusal(name: string, options: { readonly right?: PlacementRight } = {}) {
    try {
      await this.request(name, options);
    } catch (error) {
      if (isOperationalError(error)) return error;
      throw error;
    }
    throw new Error(`${name} was served`);
  }

  state(): Promise<RegistryState> {
    return this.reader.read();
  }

  /** The newest endpoint of a model; one that stops may be registered beside it. */
  async endpointOf(name: string): Promise<Endpoint | undefined> {
    const endpoints = (await this.state()).endpoints.filter((endpoint) => endpoint.model === asId(name));
    return endpoints.toSorted((one, other) => Number(other.generation) - Number(one.generation))[0];
  }

  /** Names and states of everything registered, in alphabetical order. */
  async summary(): Promise<readonly string[]> {
    return (await this.state()).endpoints.map(({ model, state }) => `${model} ${state}`).toSorted();
  }

  async footprints(): Promise<readonly Footprint[]> {
    const target = { url: this.#options.redisUrl, hostId: this.#hostId, log: () => undefined };
    await using store = await createFootprintStore({ target, file: join(this.directory, 'memory_footprints.json') });
    return await store.list();
  }

  /** Of the process that last led. */
  async metrics(): Promise<Scrape> {
    return parseMetrics((await this.#metrics.set.scrape()).text);
  }

  runningEngines(): readonly string[] {
    return [...this.engines.host.engines.values()].filter(({ state }) => state === 'running').map(({ spec }) => spec.model);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endProcess().catch(() => undefined);
    await this.#opened.disposeAsync();
  }
}

/** Starts a host and the first process that leads it. */
export async function startHost(options: HostOptions): Promise<HostUnderTest> {
  const hostId = `test-${randomUUID().slice(0, 8)}`;
  const target = { url: options.redisUrl, hostId, log: () => undefined };
  const opened = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'berth-orchestrator-'));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const reader = opened.use(createRegistryReader(target));
  const client = opened.use(createPlacementClient({ target, pollMs: 200 }));
  const session = opened.use(
    await createEdgeSession({
      target,
      id: asId(`edge-${randomUUID().slice(0, 8)}`),
      leaseTtlMs: 1_500,
      leaseRenewMs: 50,
      degradedMs: 0,
      maxWaitersPerModel: 100,
      maxWaiters: 100,
    }),
  );
  const engines = new SimulatedEngines(options.cards ?? [{ totalMiB: 10_000 }], Date.now);
  engines.host.images.set(IMAGE, 'sha256:1');
  const host = new HostUnderTest(options, opened, { engines, reader, session, client, directory, hostId });
  host.changeModels(options.models);
  host.lead();
  return host;
}

function useOnce(slot: NonNullable<ReturnType<RedisEdgeSession['begin']>>): string {
  const { generation } = slot.endpoint;
  slot.end();
  return generation;
}
