import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readGpus } from './state-directory.ts';
import type { SimulatedGpu } from './state-directory.ts';

/** Where the container hook puts its files inside a container. */
export const injectedDirectory = '/run/simulated-gpu';

/** Compiled programs of containers, shared among them through the state directory. */
export const injectedCompileCache = `${injectedDirectory}/state/compile-cache`;

/** What the container hook leaves in a container. */
export interface InjectedContainer {
  containerId: string;
  gpuUuids: string[];
  capabilities: string[];
}

/** The cards a process can reach. */
export interface AttachedCard {
  stateDirectory: string;
  containerId: string | null;
  gpus: SimulatedGpu[];
}

/**
 * Finds the simulated cards of this process: by `SIMULATED_GPU_STATE` on a host, by the files of the hook in a container; undefined
 * where there are none. `capability` is what the container must have been given: `utility` for nvidia-smi, `compute` for CUDA.
 */
export function attachCard(environment: NodeJS.ProcessEnv, capability: 'utility' | 'compute'): AttachedCard | undefined {
  const injectedPath = join(injectedDirectory, 'container.json');
  if (existsSync(injectedPath)) {
    const injected = JSON.parse(readFileSync(injectedPath, 'utf8')) as InjectedContainer;
    if (!injected.capabilities.includes(capability)) return undefined;
    const stateDirectory = join(injectedDirectory, 'state');
    const gpus = readGpus(stateDirectory).filter((gpu) => injected.gpuUuids.includes(gpu.uuid));
    // A container's GPUs are numbered anew from 0.
    return { stateDirectory, containerId: injected.containerId, gpus: gpus.map((gpu, index) => ({ ...gpu, index })) };
  }
  const stateDirectory = environment['SIMULATED_GPU_STATE'];
  if (stateDirectory === undefined || stateDirectory === '') return undefined;
  return { stateDirectory, containerId: null, gpus: readGpus(stateDirectory) };
}

/**
 * The GPUs that CUDA would show: `CUDA_VISIBLE_DEVICES` as UUIDs (or unambiguous beginnings of them) or indices, in its order. Like
 * CUDA it stops at the first entry it does not know; an empty value hides every GPU.
 */
export function visibleGpus(gpus: readonly SimulatedGpu[], visibleDevices: string | undefined): SimulatedGpu[] {
  if (visibleDevices === undefined) return [...gpus];
  const chosen: SimulatedGpu[] = [];
  for (const entry of visibleDevices.split(',').map((part) => part.trim())) {
    const gpu = gpus.find((candidate) => (entry.startsWith('GPU-') ? candidate.uuid.startsWith(entry) : String(candidate.index) === entry));
    if (gpu === undefined) break;
    chosen.push(gpu);
  }
  return chosen;
}
