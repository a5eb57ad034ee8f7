import type { GpuUuid, StartingEndpoint } from '@berth/core';
import { allocatedOn } from '@berth/core';
import type { Observed } from '../snapshot/observe.ts';

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
