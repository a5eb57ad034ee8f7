import { mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { writeFaults, writeGpus, writeModels } from './card/state-directory.ts';
import type { SimulatedGpu } from './card/state-directory.ts';
import type { ModelSettings } from './engine/model-profile.ts';
import { writeLauncher } from './launcher.ts';

/** A simulated GPU host on disk. */
export interface SimulatedHost {
  stateDirectory: string;
  gpus: SimulatedGpu[];
  /** Holds `vllm` and `nvidia-smi`, ready to be put first on a PATH. They need nothing from the environment. */
  binDirectory: string;
  vllmPath: string;
  nvidiaSmiPath: string;
  /** `environment` with `binDirectory` first on its PATH. */
  withPath(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv;
}

/** A GPU by what matters; the rest is filled in: uuid from the position, reserved memory as on a 24 GiB card. */
export type GpuDescription = Partial<SimulatedGpu> & Pick<SimulatedGpu, 'memoryTotalMiB'>;

/**
 * Sets up (or changes) the simulated GPU host in `directory`: its GPUs, the settings of its models, no faults, and the programs `vllm` and
 * `nvidia-smi`. Safe to repeat: programs that are already right keep their file times, and what living processes hold stays held.
 */
export function createSimulatedHost(
  directory: string,
  descriptions: readonly GpuDescription[],
  models: Readonly<Record<string, ModelSettings>> = {},
): SimulatedHost {
  const gpus = descriptions.map(describeGpu);
  const stateDirectory = join(directory, 'state');
  writeGpus(stateDirectory, gpus);
  writeModels(stateDirectory, models);
  writeFaults(stateDirectory, {});
  const binDirectory = join(directory, 'bin');
  mkdirSync(binDirectory, { recursive: true });
  const launcher = (name: string, program: string): string => {
    const path = join(binDirectory, name);
    writeLauncher(path, new URL(program, import.meta.url), { environment: { SIMULATED_GPU_STATE: stateDirectory } });
    return path;
  };
  return {
    stateDirectory,
    gpus,
    binDirectory,
    vllmPath: launcher('vllm', 'engine/main.ts'),
    nvidiaSmiPath: launcher('nvidia-smi', 'nvidia-smi/main.ts'),
    withPath: (environment) => ({
      ...environment,
      PATH: [binDirectory, environment['PATH'] ?? ''].filter((part) => part !== '').join(delimiter),
    }),
  };
}

function describeGpu(description: GpuDescription, position: number): SimulatedGpu {
  const uuid = `GPU-51b00000-0000-4000-8000-${position.toString(16).padStart(12, '0')}`;
  return { uuid, name: 'Simulated GPU', index: position, memoryReservedMiB: 512, ...description };
}
