import type { GpuAllocation, GpuUuid, HostReading } from '@berth/core';

/**
 * MiB that the given processes hold, one entry per GPU they are on, ordered like the reading's GPUs. `pids` are those of the
 * host's PID namespace; ids that hold no GPU memory do not matter, since only some processes of an engine do.
 * Returns `null` when it is unknown: the driver lists no processes, none of these, or one of them without its memory.
 */
export function measureProcesses(reading: HostReading, pids: readonly number[]): GpuAllocation[] | null {
  const wanted = new Set(pids);
  const rows = reading.processes?.filter((row) => wanted.has(row.pid)) ?? [];
  if (rows.length === 0) return null;
  const sums = new Map<GpuUuid, number>();
  for (const row of rows) {
    if (row.usedMiB === null) return null;
    sums.set(row.gpuUuid, (sums.get(row.gpuUuid) ?? 0) + row.usedMiB);
  }
  const order = reading.gpus.map((gpu) => gpu.uuid);
  return [...sums]
    .map(([gpuUuid, vramMiB]): GpuAllocation => ({ gpuUuid, vramMiB }))
    .toSorted((left, right) => order.indexOf(left.gpuUuid) - order.indexOf(right.gpuUuid));
}
