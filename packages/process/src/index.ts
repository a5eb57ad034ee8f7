export { createLocalNvidiaSmi } from './local-nvidia-smi.ts';
export type { LocalNvidiaSmiOptions } from './local-nvidia-smi.ts';
export type { PortRange } from './port-pool.ts';
export { createProcessRuntime } from './process-runtime.ts';
export type { ProcessRuntimeOptions } from './process-runtime.ts';
