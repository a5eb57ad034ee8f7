import type { GpuUuid } from '../ids.ts';

/** One GPU as the driver reports it. `null` means the driver gave no number: unknown, never zero. */
export interface GpuReading {
  readonly uuid: GpuUuid;
  /** For humans only. */
  readonly index: number;
  /** Product name, e.g. `NVIDIA H100 80GB HBM3`; footprints are learned per product. */
  readonly product: string;
  readonly totalMiB: number | null;
  /** What the driver keeps for itself (total = reserved + used + free since R510). */
  readonly driverReservedMiB: number | null;
  readonly usedMiB: number | null;
  readonly freeMiB: number | null;
  /** The card is cut into MIG slices; it then has no numbers, and nothing is placed on it as a whole. */
  readonly migEnabled?: boolean;
}

/** One process that holds memory of one GPU. A process on two GPUs has two rows. */
export interface GpuProcess {
  readonly gpuUuid: GpuUuid;
  /** In the host's PID namespace. */
  readonly pid: number;
  readonly name: string;
  /** `null` where the driver names the process but not its memory (WSL2, MIG). */
  readonly usedMiB: number | null;
}

/** All GPUs of a host at one instant. */
export interface HostReading {
  readonly atMs: number;
  readonly gpus: readonly GpuReading[];
  /** `null` where this driver lists no processes or no memory per process. */
  readonly processes: readonly GpuProcess[] | null;
}
