import type { Endpoint, Footprint, Generation, HostReading, ModelName, RegistryState } from '@berth/core';
import type { TermContext } from '../term/term-context.ts';
import { readDemand, type Demand } from './demand.ts';

/** All that one step looked at, read once. */
export interface Observed {
  readonly state: RegistryState;
  readonly demand: ReadonlyMap<ModelName, Demand>;
  /** `null` when no reading as fresh as asked for is to be had. */
  readonly reading: HostReading | null;
  /** Host process ids by endpoint: asked of the runtime while it lives, as recorded at ready after that. */
  readonly processIds: ReadonlyMap<Generation, readonly number[]>;
}

/** Reads the registry, and the GPUs unless the last reading is young enough. Throws `REDIS_UNAVAILABLE`, `DOCKER_UNAVAILABLE`. */
export async function observe(context: TermContext, { readingMaxAgeMs }: { readonly readingMaxAgeMs: number }): Promise<Observed> {
  const state = await context.registry.read();
  context.clock.sync(state.nowMs);
  const [reading, processIds] = await Promise.all([
    context.gpus.read({ maxAgeMs: readingMaxAgeMs }),
    readProcessIds(context, state.endpoints),
  ]);
  return { state, demand: readDemand(state), reading, processIds };
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

/** Recorded ids stay in after the engine is gone: its memory may outlive it. */
export async function processIdsOf(context: Pick<TermContext, 'runtime'>, endpoint: Endpoint): Promise<readonly number[]> {
  const recorded = endpoint.state === 'starting' ? [] : endpoint.processIds;
  if (endpoint.handle === null || endpoint.allocations.length === 0) return recorded;
  if (endpoint.state === 'starting' && endpoint.startedAtMs === null) return recorded;
  const living = await context.runtime.processIds(endpoint.handle);
  return [...new Set([...recorded, ...living])];
}

/** Footprints of a launch by GPU product; those never measured are left out. */
export function vramByProduct(footprints: readonly Footprint[]): ReadonlyMap<string, number> {
  return new Map(
    footprints.flatMap((footprint) => (footprint.vramMiB === null ? [] : [[footprint.gpuProduct, footprint.vramMiB] as const])),
  );
}
