import { describe, expect, it } from 'vitest';
import type { SimulatedGpu } from '../card/state-directory.ts';
import { readGpuGrant } from './hook-request.ts';

const gpus: SimulatedGpu[] = ['GPU-a', 'GPU-b'].map((uuid, index) => ({ uuid, name: 'g', index, memoryTotalMiB: 1, memoryReservedMiB: 0 }));

describe('a device request as dockerd hands it to the hook', () => {
  it.each<[string[], string[]]>([
    [['NVIDIA_VISIBLE_DEVICES=GPU-b,GPU-a'], ['GPU-b', 'GPU-a']],
    [['NVIDIA_VISIBLE_DEVICES=1'], ['GPU-b']],
    [['NVIDIA_VISIBLE_DEVICES=all'], ['GPU-a', 'GPU-b']],
    [['NVIDIA_VISIBLE_DEVICES=all', 'NVIDIA_VISIBLE_DEVICES=GPU-a'], ['GPU-a']],
    [['NVIDIA_VISIBLE_DEVICES=void'], []],
    [[], []],
  ])('%j grants %j', (environment, gpuUuids) => {
    expect(readGpuGrant(environment, gpus).gpuUuids).toEqual(gpuUuids);
  });

  it('grants utility and compute unless it names capabilities', () => {
    expect(readGpuGrant([], gpus).capabilities).toEqual(['utility', 'compute']);
    expect(readGpuGrant(['NVIDIA_DRIVER_CAPABILITIES=all'], gpus).capabilities).toEqual(['utility', 'compute']);
    expect(readGpuGrant(['NVIDIA_DRIVER_CAPABILITIES=utility'], gpus).capabilities).toEqual(['utility']);
  });

  it('is refused for a GPU that is not there', () => {
    expect(() => readGpuGrant(['NVIDIA_VISIBLE_DEVICES=GPU-c'], gpus)).toThrow('nvidia-container-cli: device error: GPU-c: unknown device');
  });
});
