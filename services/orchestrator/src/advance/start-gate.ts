import type { GpuUuid, Snapshot, StartingEndpoint } from '@berth/core';
import { allocatedOn, buildLedger } from '@berth/core';
import type { Observed } from '../snapshot/observe.ts';

/** Foreign memory breathes, and a discovery reserves all that it saw free. */
const FOREIGN_NOISE_MIB = 64;

/**
 * Whether a GPU of the start is over its budget by now: foreign memory came since it was planned, or a neighbour was found to hold more
 * than it was charged. Nothing starts there; the placement plans anew. While an endpoint stops there, what it gives back may be seen twice.
 */
export function isOverBudget(endpoint: StartingEndpoint, snapshot: Snapshot): boolean {
  return [...buildLedger(snapshot).values()].some(
    (ledger) =>
      endpoint.allocations.some((allocation) => allocation.gpuUuid === ledger.gpuUuid) &&
      ledger.stoppingMiB === 0 &&
      ledger.chargedMiB + (ledger.foreignMiB ?? 0) > ledger.budgetMiB + FOREIGN_NOISE_MIB,
  );
}

/**
 * True when the driver's free memory on each GPU of the start holds its own reservation and whatever other starting endpoints reserved but
 * did not allocate yet. Unknown free memory is no room.
 */
export function hasRoomToStart(endpoint: StartingEndpoint, observed: Observed): boolean {
  return endpoint.allocations.every(({ gpuUuid, vramMiB }) => {
    const gpu = observed.reading?.gpus.find((one) => one.uuid === gpuUuid);
    if (gpu?.freeMiB === null || gpu?.freeMiB === undefined) return false;
    return gpu.freeMiB >= vramMiB + unallocatedOfOthers(endpoint, gpuUuid, observed);
  });
}

function unallocatedOfOthers(endpoint: StartingEndpoint, gpuUuid: GpuUuid, observed: Observed): number {
  let sumMiB = 0;
  for (const other of observed.state.endpoints) {
    if (other.state !== 'starting' || other.generation === endpoint.generation || other.startedAtMs === null) continue;
    const pids = observed.processIds.get(other.generation) ?? [];
    const usedMiB = (observed.reading?.processes ?? [])
      .filter((process) => process.gpuUuid === gpuUuid && pids.includes(process.pid))
      .reduce((sum, process) => sum + (process.usedMiB ?? 0), 0);
    sumMiB += Math.max(0, allocatedOn(other.allocations, gpuUuid) - usedMiB);
  }
  return sumMiB;
}
