import { asId, type EngineHandle, type Generation, type GpuUuid, type LaunchSignature, type ModelName } from '../ids.ts';
import type {
  DrainingEndpoint,
  Endpoint,
  EndpointBase,
  ReadyEndpoint,
  ServingFields,
  StartingEndpoint,
  StoppingEndpoint,
} from '../lifecycle/endpoint.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import type { Claim, EndpointSnapshot, GpuSnapshot, OpenPlacement, Requirement, Snapshot } from '../placement/snapshot.ts';

/** The present of every snapshot that says nothing else. Far enough from 0 that everything can have been long ago. */
export const NOW_MS = 10_000_000;

/** Memory per GPU, by the GPU's index. */
export type Memory = Readonly<Record<number, number>>;

export const model = (name: string): ModelName => asId<ModelName>(name);
export const generation = (text: string): Generation => asId<Generation>(text);
export const gpuUuid = (index: number): GpuUuid => asId<GpuUuid>(`GPU-${index}`);

export function memory(byGpu: Memory): readonly GpuAllocation[] {
  return Object.entries(byGpu).map(([index, vramMiB]) => ({ gpuUuid: gpuUuid(Number(index)), vramMiB }));
}

/** A GPU with a budget of 100 MiB and nothing foreign on it. */
export function gpu(index: number, given: Partial<GpuSnapshot> = {}): GpuSnapshot {
  return { uuid: gpuUuid(index), index, product: 'Card', budgetMiB: 100, foreignMiB: 0, ...given };
}

export interface Given {
  readonly on?: Memory;
  readonly generation?: string;
}

function base(name: string, { on = {}, generation: text = `1000${name}` }: Given): EndpointBase {
  return {
    generation: generation(text),
    model: model(name),
    signature: asId<LaunchSignature>('signature'),
    imageId: 'sha256:1',
    hasCounter: true,
    containerName: `berth-${name}-${text}`,
    handle: asId<EngineHandle>(`container-${text}`),
    allocations: memory(on),
    servedNames: [name],
    createdAtMs: 0,
    kvCacheBytes: null,
  };
}

function serving({ on = {} }: Given): ServingFields {
  return {
    urls: { name: 'http://engine:8000', address: null, loopback: null },
    readyAtMs: 0,
    loadMs: 1000,
    processIds: [],
    measured: memory(on),
    maxModelLen: null,
    sparedUntilMs: null,
  };
}

export function starting(name: string, given: Given & Partial<Omit<StartingEndpoint, 'generation'>> = {}): StartingEndpoint {
  const { on: _on, generation: _generation, ...fields } = given;
  const load = { state: 'starting', discovery: false, startedAtMs: 1, phase: 'weights', usedBefore: [], deadlineAtMs: NOW_MS * 2 } as const;
  return { ...base(name, given), ...load, ...fields };
}

/** Ready for so long that it is settled. */
export function ready(name: string, given: Given & Partial<Omit<ReadyEndpoint, 'generation'>> = {}): ReadyEndpoint {
  const { on: _on, generation: _generation, ...fields } = given;
  return { ...base(name, given), ...serving(given), state: 'ready', ...fields };
}

export function draining(name: string, given: Given & Partial<Omit<DrainingEndpoint, 'generation'>> = {}): DrainingEndpoint {
  const { on: _on, generation: _generation, ...fields } = given;
  const drain = { state: 'draining', reason: 'evicted', claimedBy: null, drainingSinceMs: NOW_MS - 1000 } as const;
  return { ...base(name, given), ...serving(given), ...drain, ...fields };
}

export function stopping(name: string, given: Given & Partial<Omit<StoppingEndpoint, 'generation'>> = {}): StoppingEndpoint {
  const { on: _on, generation: _generation, ...fields } = given;
  const stop = { state: 'stopping', reason: 'evicted', failure: null, kill: false, stoppingSinceMs: NOW_MS - 1000 } as const;
  return { ...base(name, given), ...stop, exitedAtMs: null, urls: null, processIds: [], ...fields };
}

/** An idle endpoint of the present launch signature, used last when it became ready. */
export function view(endpoint: Endpoint, given: Partial<EndpointSnapshot> = {}): EndpointSnapshot {
  return { endpoint, inFlight: 0, lastUsedAtMs: 0, waiters: 0, current: true, pinned: false, drained: false, preloaded: false, ...given };
}

/** `needs(40)`: 40 MiB on one `Card`. `needs(40, { gpuCount: 2 })`: on each of two. */
export function needs(vramMiB: number, given: Partial<Extract<Requirement, { kind: 'gpu' }>> = {}): Requirement {
  return { kind: 'gpu', gpuCount: 1, vramMiBByProduct: new Map([['Card', vramMiB]]), atLeastMiB: 0, ...given };
}

/** A footprint that nobody has measured. */
export function unknown(given: Partial<Extract<Requirement, { kind: 'gpu' }>> = {}): Requirement {
  return { kind: 'gpu', gpuCount: 1, vramMiBByProduct: new Map(), atLeastMiB: 0, ...given };
}

/** Somebody waits for the model since one second, and may displace. */
export function wants(name: string, requirement: Requirement, given: Partial<OpenPlacement> = {}): OpenPlacement {
  return { model: model(name), arrivedAtMs: NOW_MS - 1000, right: 'displace', preload: false, requirement, ...given };
}

export function claim(name: string, on: Memory, victims: readonly Endpoint[], given: Partial<Claim> = {}): Claim {
  return {
    model: model(name),
    allocations: memory(on),
    discovery: false,
    victims: victims.map((victim) => victim.generation),
    claimedAtMs: NOW_MS - 2000,
    drainingSinceMs: NOW_MS - 1000,
    ...given,
  };
}

/** One empty GPU of 100 MiB, unless told otherwise. */
export function snapshot(given: Partial<Snapshot>): Snapshot {
  return {
    nowMs: NOW_MS,
    readingsAvailable: true,
    gpus: [gpu(0)],
    endpoints: [],
    placements: [],
    claims: [],
    settings: { drainTimeoutMs: 60_000, residencyMinimumMs: 30_000, residencyIdleMs: 5000 },
    ...given,
  };
}
