import type { Endpoint, EngineHandle, GpuAllocation, GpuUuid, HostReading, StartingEndpoint } from '@berth/core';
import { isMovingOn, measuredMiB } from '@berth/core';
import { measureProcesses } from '@berth/nvidia';
import type { TermContext } from '../term/term-context.ts';

export interface Measurement {
  /** Used memory per GPU of the endpoint, without margin. */
  readonly measured: readonly GpuAllocation[];
  /** Host processes of it that hold GPU memory. */
  readonly processIds: readonly number[];
  /** Whether it may be learned; one that may only be charged is too large rather than too small. */
  readonly exact: boolean;
}

/**
 * Measures what an engine holds: the sum of its processes per GPU, or, where the driver tells no memory per process, what its GPUs
 * gained by it. `null` when it cannot be told now: there is no reading, or somebody else is just leaving one of its GPUs. Throws as the
 * runtime does.
 */
export async function measureEndpoint(context: TermContext, endpoint: StartingEndpoint, handle: EngineHandle): Promise<Measurement | null> {
  const pids = await context.runtime.processIds(handle);
  const reading = await context.gpus.read({ maxAgeMs: 0 });
  if (reading === null) return null;
  const holding = (reading.processes ?? []).filter((process) => pids.includes(process.pid)).map((process) => process.pid);
  const processIds = [...new Set(holding)];
  const byProcess = measureProcesses(reading, pids);
  if (byProcess !== null) return { measured: byProcess, processIds, exact: true };
  const { endpoints } = await context.registry.read();
  const others = endpoints.filter((other) => other.generation !== endpoint.generation);
  if (others.some((other) => endpoint.allocations.some(({ gpuUuid }) => isMovingOn(other, gpuUuid)))) return null;
  return { ...measureCards(endpoint, others, reading, context.memory.settledForeignMiB), processIds };
}

/**
 * Used memory of each card less what is known not to be its own: what was foreign before it started, and what its neighbours were measured
 * to hold. A difference of before and after alone would be wrong when a neighbour stopped meanwhile.
 */
export function measureCards(
  endpoint: Pick<StartingEndpoint, 'allocations' | 'usedBefore'>,
  others: readonly Endpoint[],
  reading: HostReading,
  settledForeignMiB: ReadonlyMap<GpuUuid, number>,
): Pick<Measurement, 'measured' | 'exact'> {
  let exact = true;
  const measured = endpoint.allocations.flatMap(({ gpuUuid }): readonly GpuAllocation[] => {
    const usedMiB = reading.gpus.find((gpu) => gpu.uuid === gpuUuid)?.usedMiB ?? null;
    if (usedMiB === null) return [];
    const neighboursMiB = measuredMiB(others, gpuUuid);
    const foreignBeforeMiB = settledForeignMiB.get(gpuUuid);
    if (foreignBeforeMiB !== undefined) return [{ gpuUuid, vramMiB: Math.max(0, usedMiB - foreignBeforeMiB - neighboursMiB) }];
    const usedBefore = endpoint.usedBefore.find((one) => one.gpuUuid === gpuUuid);
    exact &&= usedBefore !== undefined;
    return [{ gpuUuid, vramMiB: Math.max(0, usedMiB - (usedBefore?.vramMiB ?? neighboursMiB)) }];
  });
  return { measured, exact };
}
