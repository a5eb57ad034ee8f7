import type { EngineHandle, GpuAllocation, HostReading, StartingEndpoint } from '@berth/core';
import { allocatedOn } from '@berth/core';
import { measureProcesses } from '@berth/nvidia';
import type { TermContext } from '../term/term-context.ts';

export interface Measurement {
  /** Used memory per GPU of the endpoint, without margin. */
  readonly measured: readonly GpuAllocation[];
  /** Host processes of it that hold GPU memory. */
  readonly processIds: readonly number[];
}

/**
 * Measures what an engine holds: the sum of its processes per GPU, or, where the driver tells no memory per process, what its GPUs
 * gained since just before its start. `null` when no reading is to be had now. Throws as the runtime does.
 */
export async function measureEndpoint(context: TermContext, endpoint: StartingEndpoint, handle: EngineHandle): Promise<Measurement | null> {
  const pids = await context.runtime.processIds(handle);
  const reading = await context.gpus.read({ maxAgeMs: 0 });
  if (reading === null) return null;
  const holding = (reading.processes ?? []).filter((process) => pids.includes(process.pid)).map((process) => process.pid);
  const byProcess = measureProcesses(reading, pids);
  if (byProcess !== null && byProcess.length > 0) return { measured: byProcess, processIds: [...new Set(holding)] };
  return { measured: wholeCardGain(endpoint, reading), processIds: [...new Set(holding)] };
}

function wholeCardGain(endpoint: StartingEndpoint, reading: HostReading): readonly GpuAllocation[] {
  return endpoint.allocations.flatMap(({ gpuUuid }) => {
    const usedMiB = reading.gpus.find((gpu) => gpu.uuid === gpuUuid)?.usedMiB ?? null;
    return usedMiB === null ? [] : [{ gpuUuid, vramMiB: Math.max(0, usedMiB - allocatedOn(endpoint.usedBefore, gpuUuid)) }];
  });
}
