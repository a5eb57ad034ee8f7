import type { Generation, GpuUuid } from '../ids.ts';
import type { Endpoint } from '../lifecycle/endpoint.ts';
import { allocatedOn } from './allocation.ts';
import type { HostReading } from './gpu-reading.ts';

/** Which processes are whose, beside what the driver says of them. */
export interface Holders {
  readonly gpuUuid: GpuUuid;
  readonly reading: HostReading;
  readonly endpoints: readonly Endpoint[];
  /** Host process ids per endpoint, those that are gone from the runtime but not from the driver included. */
  readonly processIds: ReadonlyMap<Generation, readonly number[]>;
}

/**
 * MiB that each endpoint's processes hold on a GPU as the driver lists them. `null` where the driver lists no processes, or one of ours
 * without its memory (WSL2, MIG): a part of a sum is not a sum.
 */
export function listedMiB({ gpuUuid, reading, endpoints, processIds }: Holders): ReadonlyMap<Generation, number> | null {
  if (reading.processes === null) return null;
  const rows = reading.processes.filter((row) => row.gpuUuid === gpuUuid);
  const listed = new Map<Generation, number>();
  for (const { generation } of endpoints) {
    const own = rows.filter((row) => processIds.get(generation)?.includes(row.pid) === true);
    if (own.some((row) => row.usedMiB === null)) return null;
    listed.set(
      generation,
      own.reduce((total, row) => total + (row.usedMiB ?? 0), 0),
    );
  }
  return listed;
}

/** MiB measured on a GPU for the endpoints that serve. */
export function measuredMiB(endpoints: readonly Endpoint[], gpuUuid: GpuUuid): number {
  return endpoints.reduce(
    (total, endpoint) =>
      endpoint.state === 'ready' || endpoint.state === 'draining' ? total + allocatedOn(endpoint.measured, gpuUuid) : total,
    0,
  );
}

/** Whether an endpoint starts or stops on a GPU, so that used memory changes without anybody measuring it. */
export function isMovingOn({ state, allocations }: Endpoint, gpuUuid: GpuUuid): boolean {
  return (state === 'starting' || state === 'stopping') && allocations.some((allocation) => allocation.gpuUuid === gpuUuid);
}
