import type { GpuProcess, GpuReading, HostReading } from '../memory/gpu-reading.ts';
import { gpuUuid, NOW_MS } from './builders.ts';

/** A card of 1000 MiB of which nothing is used. */
export function card(index: number, given: Partial<GpuReading> = {}): GpuReading {
  return { uuid: gpuUuid(index), index, product: 'Card', totalMiB: 1000, driverReservedMiB: 0, usedMiB: 0, freeMiB: 1000, ...given };
}

/** Process ids with the memory they hold on GPU 0. */
export function processes(...rows: readonly (readonly [pid: number, usedMiB: number | null])[]): readonly GpuProcess[] {
  return rows.map(([pid, usedMiB]) => ({ gpuUuid: gpuUuid(0), pid, name: 'VLLM::EngineCore', usedMiB }));
}

export function reading(gpus: readonly GpuReading[], rows: readonly GpuProcess[] | null): HostReading {
  return { atMs: NOW_MS, gpus, processes: rows };
}
