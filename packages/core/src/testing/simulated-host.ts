import type { ModelName } from '../ids.ts';
import type { Endpoint, GoneEndpoint } from '../lifecycle/endpoint.ts';
import type { EndpointEvent } from '../lifecycle/endpoint-event.ts';
import { transition } from '../lifecycle/transition.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import { asksOf } from '../placement/asks.ts';
import type { Action, Plan } from '../placement/plan.ts';
import { plan } from '../placement/planner.ts';
import type { Claim, EndpointSnapshot, GpuSnapshot, OpenPlacement, PlacementRight, Snapshot } from '../placement/snapshot.ts';
import { generation, gpu, model, NOW_MS, starting, view } from './builders.ts';

export interface SimulatedModel {
  readonly name: string;
  readonly vramMiB: number;
  readonly gpuCount: number;
  readonly loadMs: number;
  readonly pinned: boolean;
}

/** A change of the host with everything that led to it, for a test to judge. */
export interface Step {
  readonly model: ModelName;
  readonly before: Snapshot;
  readonly plan: Plan;
  readonly after: Snapshot;
}

interface Usage {
  inFlight: number;
  lastUsedAtMs: number;
}

/**
 * A host that does what plans say and moves endpoints through their states as time passes. It keeps no rule of the planner's: whatever a
 * plan asks for is done, unless the lifecycle refuses it.
 */
export class SimulatedHost {
  nowMs = NOW_MS;
  readonly steps: Step[] = [];
  readonly served: ModelName[] = [];
  readonly refused: ModelName[] = [];
  readonly #models: ReadonlyMap<ModelName, SimulatedModel>;
  #gpus: readonly GpuSnapshot[];
  #endpoints: readonly Endpoint[] = [];
  #claims: readonly Claim[] = [];
  readonly #usage = new Map<string, Usage>();
  readonly #known = new Set<ModelName>();
  readonly #demand = new Map<ModelName, Map<PlacementRight, number>>();
  #generations = 0;

  constructor(models: readonly SimulatedModel[], budgetsMiB: readonly number[]) {
    this.#models = new Map(models.map((each) => [model(each.name), each]));
    this.#gpus = budgetsMiB.map((budgetMiB, index) => gpu(index, { budgetMiB }));
  }

  /** The oldest waiter of each right decides its age. */
  arrive(name: string, right: PlacementRight = 'displace'): void {
    const waiting = this.#demand.get(model(name)) ?? new Map<PlacementRight, number>();
    this.#demand.set(model(name), waiting.set(right, waiting.get(right) ?? this.nowMs));
  }

  leave(name: string): void {
    this.#demand.delete(model(name));
    this.#claims = this.#claims.filter((claim) => claim.model !== model(name));
    this.#move((endpoint) => (endpoint.state === 'draining' && endpoint.claimedBy === model(name) ? calledOff(null) : null));
  }

  /** Requests that run on the model's ready endpoint, if it has one. */
  setInFlight(name: string, inFlight: number): void {
    for (const endpoint of this.#endpoints) {
      if (endpoint.model !== model(name) || (endpoint.state !== 'ready' && endpoint.state !== 'draining')) continue;
      if (endpoint.state === 'draining' && inFlight > 0) continue;
      this.#usage.set(endpoint.generation, { inFlight, lastUsedAtMs: this.nowMs });
    }
  }

  setForeign(index: number, foreignMiB: number | null): void {
    this.#gpus = this.#gpus.map((each) => (each.index === index ? { ...each, foreignMiB } : each));
  }

  isReady(name: string): boolean {
    return this.#endpoints.some((endpoint) => endpoint.model === model(name) && endpoint.state === 'ready');
  }

  openModels(): readonly ModelName[] {
    return [...this.#demand.keys()];
  }

  /** One step of a model's job. */
  step(name: ModelName): Plan | null {
    if (!this.#demand.has(name)) return null;
    const before = deepFreeze(this.snapshot());
    const decided = plan(before, name);
    if (decided.kind === 'apply') for (const action of decided.actions) this.#apply(action);
    if (decided.kind === 'serving') this.#end(name, this.served);
    if (decided.kind === 'refuse') this.#end(name, this.refused);
    this.steps.push({ model: name, before, plan: decided, after: this.snapshot() });
    return decided;
  }

  /** Time passes: loads end, drained engines exit, released memory comes back. */
  advance(durationMs: number): void {
    this.nowMs += durationMs;
    const released = this.#endpoints.filter((endpoint) => endpoint.state === 'stopping' && endpoint.exitedAtMs !== null);
    this.#move((endpoint) => (released.includes(endpoint) ? { kind: 'memory-released' } : null));
    this.#move((endpoint) =>
      endpoint.state === 'stopping' && endpoint.exitedAtMs === null ? { kind: 'exit-seen', atMs: this.nowMs } : null,
    );
    this.#move((endpoint) => (endpoint.state === 'starting' ? this.#loaded(endpoint) : null));
  }

  snapshot(): Snapshot {
    return {
      nowMs: this.nowMs,
      readingsAvailable: true,
      gpus: this.#gpus,
      endpoints: this.#endpoints.map((endpoint) => this.#view(endpoint)),
      placements: [...this.#demand].flatMap(([name, arrivals]) =>
        asksOf(arrivals).map(({ right, arrivedAtMs }) => this.#placement(name, arrivedAtMs, right)),
      ),
      claims: this.#claims,
      settings: { drainTimeoutMs: 60_000, residencyMinimumMs: 30_000, residencyIdleMs: 5000 },
    };
  }

  #placement(name: ModelName, arrivedAtMs: number, right: PlacementRight): OpenPlacement {
    const spec = this.#spec(name);
    const vramMiBByProduct = new Map(this.#known.has(name) ? [['Card', spec.vramMiB]] : []);
    const requirement = { kind: 'gpu', gpuCount: spec.gpuCount, vramMiBByProduct, atLeastMiB: 0 } as const;
    return { model: name, arrivedAtMs, right, preload: false, requirement };
  }

  #view(endpoint: Endpoint): EndpointSnapshot {
    const { inFlight, lastUsedAtMs } = this.#usage.get(endpoint.generation) ?? { inFlight: 0, lastUsedAtMs: 0 };
    return view(endpoint, {
      inFlight,
      lastUsedAtMs: inFlight > 0 ? this.nowMs : lastUsedAtMs,
      waiters: this.#demand.has(endpoint.model) ? 1 : 0,
      pinned: this.#spec(endpoint.model).pinned,
      drained: endpoint.state === 'draining' && inFlight === 0,
    });
  }

  #apply(action: Action): void {
    switch (action.kind) {
      case 'withdraw-claim':
        this.#claims = this.#claims.filter((claim) => claim.model !== action.model);
        this.#move((endpoint) =>
          endpoint.state === 'draining' && endpoint.claimedBy === action.model ? calledOff(action.spareUntilMs) : null,
        );
        break;
      case 'call-off-drain':
        this.#move((endpoint) => (endpoint.generation === action.generation ? calledOff(action.spareUntilMs) : null));
        break;
      case 'write-claim':
        this.#claims = [...this.#claims.filter((claim) => claim.model !== action.claim.model), action.claim];
        break;
      case 'begin-drain': {
        const { reason, claimedBy } = action;
        this.#move((endpoint) =>
          endpoint.generation === action.generation ? { kind: 'drain-begun', reason, claimedBy, atMs: this.nowMs } : null,
        );
        break;
      }
      case 'stop':
        this.#move((endpoint) => (endpoint.generation === action.generation ? this.#stopped(endpoint) : null));
        break;
      case 'start':
        this.#start(action.model, action.allocations, action.discovery);
        break;
    }
  }

  #start(name: ModelName, allocations: readonly GpuAllocation[], discovery: boolean): void {
    this.#generations += 1;
    const text = String(this.nowMs * 1000 + this.#generations);
    this.#claims = this.#claims.filter((claim) => claim.model !== name);
    this.#endpoints = [...this.#endpoints, starting(name, { generation: text, allocations, discovery, startedAtMs: this.nowMs })];
  }

  #loaded(endpoint: Endpoint & { readonly state: 'starting' }): EndpointEvent | null {
    const spec = this.#spec(endpoint.model);
    if (this.nowMs - (endpoint.startedAtMs ?? 0) < spec.loadMs) return null;
    this.#known.add(endpoint.model);
    if (endpoint.allocations.some(({ vramMiB }) => vramMiB < spec.vramMiB)) {
      return { kind: 'stop-begun', reason: 'loadFailed', atMs: this.nowMs, kill: true, failure: null };
    }
    this.#usage.set(endpoint.generation, { inFlight: 0, lastUsedAtMs: this.nowMs });
    const allocations = endpoint.allocations.map(({ gpuUuid }) => ({ gpuUuid, vramMiB: spec.vramMiB }));
    const urls = { name: null, address: null, loopback: null };
    const measured = { measured: allocations, allocations, maxModelLen: null };
    return { kind: 'ready-proved', urls, atMs: this.nowMs, loadMs: spec.loadMs, processIds: [], ...measured };
  }

  #stopped(endpoint: Endpoint): EndpointEvent {
    if ((this.#usage.get(endpoint.generation)?.inFlight ?? 0) > 0) throw new TypeError(`stopped ${endpoint.generation} while busy`);
    return { kind: 'stop-begun', reason: 'evicted', atMs: this.nowMs, kill: false, failure: null };
  }

  #end(name: ModelName, list: ModelName[]): void {
    this.#demand.delete(name);
    list.push(name);
  }

  #move(eventFor: (endpoint: Endpoint) => EndpointEvent | null): void {
    const moved = this.#endpoints.map((endpoint): Endpoint | GoneEndpoint => {
      const event = eventFor(endpoint);
      return event === null ? endpoint : transition(endpoint, event);
    });
    this.#endpoints = moved.filter((endpoint) => endpoint.state !== 'gone');
  }

  #spec(name: ModelName): SimulatedModel {
    const spec = this.#models.get(name);
    if (spec === undefined) throw new RangeError(`no model ${generation(name)}`);
    return spec;
  }
}

function calledOff(sparedUntilMs: number | null): EndpointEvent {
  return { kind: 'drain-called-off', sparedUntilMs };
}

/** Arguments of the planner cannot be changed unnoticed. */
function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
