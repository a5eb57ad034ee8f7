import type { GpuUuid } from '../ids.ts';

/** Memory on one GPU. Footprints, reservations and claims are lists of these, one per GPU. */
export interface GpuAllocation {
  readonly gpuUuid: GpuUuid;
  readonly vramMiB: number;
}

/** MiB that a list holds on one GPU; 0 where the list does not name it. */
export function allocatedOn(allocations: readonly GpuAllocation[], gpuUuid: GpuUuid): number {
  return allocations.reduce((sum, allocation) => (allocation.gpuUuid === gpuUuid ? sum + allocation.vramMiB : sum), 0);
}
