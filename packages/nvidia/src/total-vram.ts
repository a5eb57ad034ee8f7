import { OperationalError } from '@berth/core';
import type { GpuUuid, HostReading } from '@berth/core';

/** A GPU with the memory it has in all. */
export interface GpuTotal {
  readonly gpuUuid: GpuUuid;
  /** For humans only. */
  readonly index: number;
  readonly product: string;
  /** `null` where the driver gives no number (GB10, a GPU in MIG mode). */
  readonly totalMiB: number | null;
}

/** Total memory of every GPU of the host, in the driver's order. Throws `GPU_PROBE_FAILED` when not one GPU tells its total. */
export function totalVram({ gpus }: HostReading): readonly GpuTotal[] {
  const totals = gpus.map(({ uuid, index, product, totalMiB }): GpuTotal => ({ gpuUuid: uuid, index, product, totalMiB }));
  if (totals.some((gpu) => gpu.totalMiB !== null)) return totals;
  const names = totals.map((gpu) => `GPU ${gpu.index} (${gpu.product})`).join(', ');
  throw new OperationalError({
    code: 'GPU_PROBE_FAILED',
    message: `No GPU tells how much memory it has: ${names}. Integrated GPUs and GPUs in MIG mode do not; switch MIG off with \`nvidia-smi -mig 0\` to use the whole card.`,
    retryable: false,
    details: { gpus: totals },
  });
}
