import type { SimulatedGpu } from '../card/state-directory.ts';
import { SimulatorError } from '../errors.ts';

/** What a container may see: GPUs in the order of the request, and driver capabilities. */
export interface GpuGrant {
  gpuUuids: string[];
  capabilities: string[];
}

/**
 * Reads a device request out of a container's environment, where dockerd puts it for the hook (moby `daemon/nvidia_linux.go`):
 * UUIDs, indices or `all`. Without `NVIDIA_DRIVER_CAPABILITIES` a container gets `utility` and `compute`, as from the real toolkit. Throws
 * `GPU_UNKNOWN` with the toolkit's words for a device that is not there.
 */
export function readGpuGrant(environment: readonly string[], gpus: readonly SimulatedGpu[]): GpuGrant {
  // dockerd appends its values to those of the image: the last one counts.
  const value = (name: string): string => environment.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const devices = value('NVIDIA_VISIBLE_DEVICES');
  const capabilities = value('NVIDIA_DRIVER_CAPABILITIES');
  return {
    gpuUuids: devices === 'all' ? gpus.map((gpu) => gpu.uuid) : parts(devices).map((device) => findGpu(device, gpus).uuid),
    capabilities: capabilities === '' || capabilities === 'all' ? ['utility', 'compute'] : parts(capabilities),
  };
}

function findGpu(device: string, gpus: readonly SimulatedGpu[]): SimulatedGpu {
  const gpu = gpus.find((candidate) => candidate.uuid === device || String(candidate.index) === device);
  if (gpu === undefined) throw new SimulatorError('GPU_UNKNOWN', `nvidia-container-cli: device error: ${device}: unknown device`);
  return gpu;
}

function parts(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => !['', 'void', 'none'].includes(part));
}
