import type { GpuUuid } from '../ids.ts';
import { allocatedOn } from '../memory/allocation.ts';
import { isLeaving } from './residency.ts';
import type { EndpointSnapshot, GpuSnapshot, Snapshot } from './snapshot.ts';

/** What a discovery wants on a GPU: budget − pinned − foreign. `null` while foreign memory is unknown. */
export function discoveryRemainderMiB(gpu: GpuSnapshot, snapshot: Snapshot): number | null {
  if (gpu.foreignMiB === null) return null;
  return gpu.budgetMiB - stayingPinnedMiB(gpu, snapshot) - gpu.foreignMiB;
}

/** MiB on a GPU that no placement can have: pinned endpoints, unless an operator stops them or they exited. */
export function stayingPinnedMiB(gpu: GpuSnapshot, snapshot: Snapshot): number {
  return snapshot.endpoints.filter(isStayingPinned).reduce((total, { endpoint }) => total + allocatedOn(endpoint.allocations, gpu.uuid), 0);
}

export function isStayingPinned({ pinned, endpoint }: EndpointSnapshot): boolean {
  return pinned && !isLeaving(endpoint);
}

/** Everything that has to be gone before a discovery starts: a measurement beside a neighbour that comes or goes is worth nothing. */
export function inTheWayOfDiscovery(gpuUuids: readonly GpuUuid[], snapshot: Snapshot): readonly EndpointSnapshot[] {
  return snapshot.endpoints.filter((view) => !isStayingPinned(view) && isOnAny(view, gpuUuids));
}

/** Whether an endpoint was given one of these GPUs, however little it holds there. */
export function isOnAny({ endpoint }: EndpointSnapshot, gpuUuids: readonly GpuUuid[]): boolean {
  return endpoint.allocations.some((allocation) => gpuUuids.includes(allocation.gpuUuid));
}
