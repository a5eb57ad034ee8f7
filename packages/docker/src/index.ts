export { createDockerNvidiaSmi } from './docker-nvidia-smi.ts';
export type { DockerNvidiaSmiOptions } from './docker-nvidia-smi.ts';
export { createDockerRuntime } from './docker-runtime.ts';
export type { DockerRuntimeOptions } from './docker-runtime.ts';
export type { EngineNetworkOptions } from './ensure-engine-network.ts';
export type { GpuDriverSetting } from './gpu-driver.ts';
