export { describeExit } from './exit-codes.ts';
export { createGpuProbe } from './gpu-probe.ts';
export type { GpuProbeOptions } from './gpu-probe.ts';
export { measureProcesses } from './measure-processes.ts';
export { parseComputeApps, QUERY_COMPUTE_APPS } from './parse-compute-apps.ts';
export { parseGpus, QUERY_GPUS } from './parse-gpus.ts';
export { totalVram } from './total-vram.ts';
export type { GpuTotal } from './total-vram.ts';
