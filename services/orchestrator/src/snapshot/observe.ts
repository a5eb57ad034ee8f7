import type { Endpoint, Footprint, Generation, HostReading, ModelName, RegistryState } from '@berth/core';
import type { TermContext } from '../term/term-context.ts';
import { readDemand, type Demand } from './demand.ts';

/** All that one step looked at, read once. */
export interface Observed {
  readonly state: RegistryState;
  readonly demand: ReadonlyMap<ModelName, Demand>;
  /** `null` when no reading as fresh as asked for is to be had. */
  readonly reading: HostReading | null;
  /** Every host process id that an endpoint is known to have or have had. */
  readonly processIds: ReadonlyMap<Generation, readonly number[]>;
}

/**
 * Reads the registry, and the GPUs unless the last reading is young enough. What it learns of process ids and of foreign memory is kept for
 * the term. Throws `REDIS_UNAVAILABLE`, `DOCKER_UNAVAILABLE`.
 */
export async function observe(context: TermContext, { readingMaxAgeMs }: { readonly readingMaxAgeMs: number }): Promise<Observed> {
  const state = await context.registry.read();
  context.clock.sync(state.nowMs);
  const [reading, processIds] = await Promise.all([
    context.gpus.read({ maxAgeMs: readingMaxAgeMs }),
    readProcessIds(context, state.endpoints),
  ]);
  context.memory.forgetOthers(state.endpoints);
  context.memory.noteSettled(reading, state.endpoints, processIds);
  return { state, demand: readDemand(state), reading, processIds };
}

/**
 * The same look at the host with the registry as it is now, after this step changed it. An endpoint that is gone since was seen to be gone
 * by the latest reading: an older one would still show its memory, as foreign. Throws `REDIS_UNAVAILABLE`.
 */
export async function withFreshState(context: Pick<TermContext, 'registry' | 'gpus'>, observed: Observed): Promise<Observed> {
  const state = await context.registry.read();
  return { ...observed, state, demand: readDemand(state), reading: observed.reading === null ? null : context.gpus.latest };
}

async function readProcessIds(context: TermContext, endpoints: readonly Endpoint[]): Promise<ReadonlyMap<Generation, readonly number[]>> {
  const ids = new Map<Generation, readonly number[]>();
  await Promise.all(
    endpoints.map(async (endpoint) => {
      ids.set(endpoint.generation, await processIdsOf(context, endpoint));
    }),
  );
  return ids;
}

/** Ids stay in after the engine is gone: its memory may outlive it. */
async function processIdsOf({ runtime, memory }: Pick<TermContext, 'runtime' | 'memory'>, endpoint: Endpoint): Promise<readonly number[]> {
  if (endpoint.handle === null || endpoint.allocations.length === 0) return memory.processIdsOf(endpoint);
  memory.noteProcessIds(endpoint.generation, await runtime.processIds(endpoint.handle));
  return memory.processIdsOf(endpoint);
}

/** Footprints of a launch by GPU product; those never measured are left out. */
export function vramByProduct(footprints: readonly Footprint[]): ReadonlyMap<string, number> {
  return new Map(
    footprints.flatMap((footprint) => (footprint.vramMiB === null ? [] : [[footprint.gpuProduct, footprint.vramMiB] as const])),
  );
}
