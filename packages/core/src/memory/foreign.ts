import { allocatedOn } from './allocation.ts';
import { type Holders, isMovingOn, listedMiB, measuredMiB } from './ours.ts';

/**
 * MiB on a GPU that are not ours, whole and at least 0; `null` is unknown, never none. The first that holds:
 * 1. the driver does not tell what is used → unknown
 * 2. it tells memory per process → used − Σ of ours. Memory that a stopping endpoint no longer shows but may still hold is its own, not
 *    foreign, until it counts as released: the driver forgets a process some time before its memory is free
 * 3. it does not, and something starts or stops there → frozen at `settledMiB`, the last value from a time when nothing did
 * 4. it does not → used − Σ measured of ours
 */
export function foreignMiB(input: Holders & { readonly settledMiB: number | null }): number | null {
  const { gpuUuid, reading, endpoints, settledMiB } = input;
  // 1
  const usedMiB = reading.gpus.find((gpu) => gpu.uuid === gpuUuid)?.usedMiB ?? null;
  if (usedMiB === null) return null;
  // 2
  const listed = listedMiB(input);
  if (listed !== null) {
    const unlistedMiB = usedMiB - [...listed.values()].reduce((total, vramMiB) => total + vramMiB, 0);
    const leavingMiB = unseenOfStopping(input, listed);
    return wholeMiB(leavingMiB === 0 ? unlistedMiB : Math.min(unlistedMiB, Math.max(settledMiB ?? 0, unlistedMiB - leavingMiB)));
  }
  // 3
  if (endpoints.some((endpoint) => isMovingOn(endpoint, gpuUuid))) return settledMiB;
  // 4
  return wholeMiB(usedMiB - measuredMiB(endpoints, gpuUuid));
}

/** What stopping endpoints are charged beyond what the driver still lists of them. */
function unseenOfStopping({ endpoints, gpuUuid }: Holders, listed: ReadonlyMap<string, number>): number {
  return endpoints
    .filter((endpoint) => endpoint.state === 'stopping')
    .reduce(
      (total, { generation, allocations }) => total + Math.max(0, allocatedOn(allocations, gpuUuid) - (listed.get(generation) ?? 0)),
      0,
    );
}

function wholeMiB(vramMiB: number): number {
  return Math.max(0, Math.ceil(vramMiB));
}
