import { asId, OperationalError } from '@berth/core';
import type { Endpoint, EndpointRegistry, Generation, ModelName, ReadyEndpoint, RegistryState, StepOutcome, Term } from '@berth/core';
import type { EngineCommands } from './engine-commands.ts';
import type { Tally } from './tally.ts';

const IDLE_SAMPLES = 3;
const SAMPLE_MS = 50;
const RESIDENCY_MS = 300;

export interface DriverParts {
  readonly registry: EndpointRegistry;
  readonly engines: EngineCommands;
  readonly term: Term;
  readonly slots: number;
  readonly drainTimeoutMs: number;
  readonly careless: boolean;
  readonly tally: Tally;
}

/** The smallest orchestrator that drains as Berth does: as many endpoints as slots, the least recently used one makes room. */
export class DrainDriver {
  readonly #parts: DriverParts;
  readonly #idle = new Map<Generation, { samples: number; atMs: number }>();

  constructor(parts: DriverParts) {
    this.#parts = parts;
  }

  /** One step of a placement. */
  async place(model: ModelName): Promise<StepOutcome> {
    const { registry, slots } = this.#parts;
    const state = await registry.read();
    const mine = state.endpoints.findLast((endpoint) => endpoint.model === model);
    if (mine?.state === 'ready') return { kind: 'ready', generation: mine.generation };
    if (mine?.state === 'starting') return this.#start(mine);
    if (!state.edges.some((edge) => edge.waiters.some((waiters) => waiters.model === model))) return { kind: 'abandoned' };
    for (const endpoint of state.endpoints) await this.#advance(endpoint, state);
    if (state.endpoints.length < slots && mine === undefined) return this.#create(model);
    if (state.endpoints.every((endpoint) => endpoint.state === 'ready')) await this.#drainLeastRecentlyUsed(state);
    return { kind: 'later', delayMs: SAMPLE_MS };
  }

  /** Adopts what runs, finishes what was stopping, forgets what is gone. Beside no other step: it is one itself. */
  async reconcile(): Promise<void> {
    const { registry, engines, term } = this.#parts;
    const listed = await engines.list();
    const { endpoints } = await registry.read();
    for (const engine of listed) {
      const generation = asId<Generation>(engine.generation);
      const known = endpoints.find((endpoint) => endpoint.generation === generation);
      if (known !== undefined) continue;
      const adopted = readyOf(generation, asId(engine.model), engine.url);
      await registry.commit(term, { expect: [{ generation, state: null }], putEndpoints: [adopted] });
    }
    for (const endpoint of endpoints) {
      const { generation, state } = endpoint;
      if (state === 'stopping') await this.#finishStop(generation);
      else if (state !== 'starting' && !listed.some((engine) => engine.generation === generation)) {
        await registry.commit(term, { expect: [{ generation, state }], removeEndpoints: [generation] });
      }
    }
  }

  async #create(model: ModelName): Promise<StepOutcome> {
    const { registry, term } = this.#parts;
    const generation = await registry.nextGeneration();
    const starting: Endpoint = {
      ...baseOf(generation, model),
      state: 'starting',
      discovery: false,
      startedAtMs: null,
      phase: 'created',
      usedBefore: [],
      deadlineAtMs: Number.MAX_SAFE_INTEGER,
    };
    await registry.commit(term, { expect: [{ generation, state: null }], putEndpoints: [starting] });
    return this.#start(starting);
  }

  async #start({ generation, model }: Endpoint): Promise<StepOutcome> {
    const { registry, engines, term } = this.#parts;
    const url = await engines.start(generation, model);
    await registry.commit(term, { expect: [{ generation, state: 'starting' }], putEndpoints: [readyOf(generation, model, url)] });
    return { kind: 'ready', generation };
  }

  async #drainLeastRecentlyUsed(state: RegistryState): Promise<void> {
    const { registry, term, tally } = this.#parts;
    const lastUse = (endpoint: Endpoint): number => state.lastUsedAtMs.get(endpoint.generation) ?? 0;
    const [victim] = state.endpoints
      .filter((endpoint) => endpoint.state === 'ready')
      .filter((endpoint) => state.nowMs - Number(endpoint.generation) > RESIDENCY_MS)
      .toSorted((a, b) => lastUse(a) - lastUse(b));
    if (victim === undefined) return;
    const draining: Endpoint = { ...victim, state: 'draining', reason: 'evicted', claimedBy: null, drainingSinceMs: state.nowMs };
    await registry.commit(term, { expect: [{ generation: victim.generation, state: 'ready' }], putEndpoints: [draining] });
    tally.drains += 1;
  }

  async #advance(endpoint: Endpoint, state: RegistryState): Promise<void> {
    const { registry, engines, term, drainTimeoutMs, careless, tally } = this.#parts;
    const { generation } = endpoint;
    if (endpoint.state === 'stopping') return this.#finishStop(generation);
    if (endpoint.state !== 'draining') return;
    if (state.nowMs - endpoint.drainingSinceMs > drainTimeoutMs) {
      const ready = readyOf(generation, endpoint.model, endpoint.urls.loopback ?? '');
      await registry.commit(term, { expect: [{ generation, state: 'draining' }], putEndpoints: [ready] });
      this.#idle.delete(generation);
      tally.drainsCalledOff += 1;
      return;
    }
    const held = state.edges.some((edge) => edge.leases.some((lease) => lease.generation === generation));
    const running = await engines.load(generation);
    if (!careless && !this.#idleOften(generation, !held && (running === 0 || running === null))) return;
    const stopping: Endpoint = {
      ...baseOf(generation, endpoint.model),
      state: 'stopping',
      reason: 'evicted',
      failure: null,
      kill: false,
      stoppingSinceMs: state.nowMs,
      exitedAtMs: null,
      urls: endpoint.urls,
      processIds: [],
    };
    if (careless) await registry.commit(term, { putEndpoints: [stopping] });
    if (careless || (await registry.stopDrained(term, stopping))) await this.#finishStop(generation);
    else this.#idle.delete(generation);
  }

  async #finishStop(generation: Generation): Promise<void> {
    const { registry, engines, term } = this.#parts;
    if (!term.isCurrent()) {
      throw new OperationalError({ code: 'LEADERSHIP_LOST', message: 'the term ended before the stop', retryable: true });
    }
    await engines.stop(generation);
    await registry.commit(term, { expect: [{ generation, state: 'stopping' }], removeEndpoints: [generation] });
    this.#idle.delete(generation);
  }

  #idleOften(generation: Generation, idle: boolean): boolean {
    const seen = this.#idle.get(generation) ?? { samples: 0, atMs: -Infinity };
    const now = performance.now();
    if (!idle) this.#idle.delete(generation);
    else if (now - seen.atMs >= SAMPLE_MS) this.#idle.set(generation, { samples: seen.samples + 1, atMs: now });
    return (this.#idle.get(generation)?.samples ?? 0) >= IDLE_SAMPLES;
  }
}

function baseOf(generation: Generation, model: ModelName) {
  return {
    generation,
    model,
    signature: asId<Endpoint['signature']>('signature'),
    imageId: 'image',
    hasCounter: true,
    containerName: `engine-${generation}`,
    handle: null,
    allocations: [],
    servedNames: [model],
    createdAtMs: Number(generation),
    kvCacheBytes: null,
  };
}

function readyOf(generation: Generation, model: ModelName, url: string): ReadyEndpoint {
  return {
    ...baseOf(generation, model),
    state: 'ready',
    urls: { name: null, address: null, loopback: url },
    readyAtMs: Number(generation),
    loadMs: 0,
    processIds: [],
    measured: [],
    maxModelLen: null,
    sparedUntilMs: null,
  };
}
