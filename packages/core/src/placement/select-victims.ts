import type { GpuUuid } from '../ids.ts';
import { allocatedOn } from '../memory/allocation.ts';
import type { EndpointSnapshot } from './snapshot.ts';

/**
 * The first of the ranked endpoints that together free what is missing on every GPU, none of them superfluous: taken in rank order until
 * it suffices, then each is dropped without which it still suffices, the most valuable (last ranked) first. An endpoint on several GPUs
 * counts on each. `null` when all of them together do not suffice.
 */
export function selectVictims(
  ranked: readonly EndpointSnapshot[],
  missingMiB: ReadonlyMap<GpuUuid, number>,
): readonly EndpointSnapshot[] | null {
  const taken: EndpointSnapshot[] = [];
  for (const view of ranked) {
    if (lacking(taken, missingMiB).some((uuid) => allocatedOn(view.endpoint.allocations, uuid) > 0)) taken.push(view);
  }
  if (!suffices(taken, missingMiB)) return null;
  return taken.reduceRight<readonly EndpointSnapshot[]>((kept, view) => {
    const without = kept.filter((other) => other !== view);
    return suffices(without, missingMiB) ? without : kept;
  }, taken);
}

export function suffices(victims: readonly EndpointSnapshot[], missingMiB: ReadonlyMap<GpuUuid, number>): boolean {
  return lacking(victims, missingMiB).length === 0;
}

/** MiB that come back on a GPU when these endpoints are gone. */
export function freedMiB(victims: readonly EndpointSnapshot[], gpuUuid: GpuUuid): number {
  return victims.reduce((total, { endpoint }) => total + allocatedOn(endpoint.allocations, gpuUuid), 0);
}

function lacking(victims: readonly EndpointSnapshot[], missingMiB: ReadonlyMap<GpuUuid, number>): readonly GpuUuid[] {
  return [...missingMiB].filter(([uuid, missing]) => freedMiB(victims, uuid) < missing).map(([uuid]) => uuid);
}
