import type { SimulatedGpu } from '../card/state-directory.ts';

/** A GPU as nvidia-smi shows it. */
export interface GpuRow extends SimulatedGpu {
  usedMiB: number;
  freeMiB: number;
}

/** A process on a GPU, with its id in the caller's PID namespace. */
export interface AppRow {
  gpuUuid: string;
  gpuIndex: number;
  pid: number;
  name: string;
  usedMiB: number;
}
