import type { EngineSpec } from '@berth/core';
import { asId } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { describeContainer } from './describe-container.ts';
import { deviceRequests, readDeviceRequests } from './gpu-driver.ts';

const spec: EngineSpec = {
  installationId: asId('installation'),
  hostId: 'local',
  generation: asId('1780000000000'),
  model: asId('llama'),
  signature: asId('signature'),
  imageId: 'sha256:1',
  hasCounter: true,
  servedNames: ['llama'],
  allocations: [],
  discovery: false,
  kvCacheBytes: null,
  port: 8123,
  createdAtMs: 1_780_000_000_000,
  containerName: 'berth-llama-1780000000000',
  image: 'vllm/vllm-openai:v0.30.0',
  command: null,
  args: ['--port', '{port}'],
  env: { HF_TOKEN: 'secret' },
  gpuUuids: [asId('GPU-1'), asId('GPU-2')],
  mounts: [],
  shmSizeBytes: null,
  stopGraceMs: 10_000,
};
const reach = { network: 'berth', address: '10.213.1.1', loopbackPort: null };

describe('describeContainer', () => {
  it('fills the port in and keeps the image’s own entrypoint where no command is given', () => {
    const options = describeContainer(spec, reach, 'nvidia');
    expect(options.Cmd).toEqual(['--port', '8123']);
    expect(options).not.toHaveProperty('Entrypoint');
    const listen = describeContainer({ ...spec, command: ['tool', '127.0.0.1:{port}'] }, reach, 'nvidia');
    expect(listen.Entrypoint).toEqual(['tool', '127.0.0.1:8123']);
  });

  it('asks for the GPUs by UUID, in the way of each driver', () => {
    expect(describeContainer(spec, reach, 'nvidia').HostConfig?.DeviceRequests).toEqual([
      { Driver: 'nvidia', DeviceIDs: ['GPU-1', 'GPU-2'], Capabilities: [['gpu', 'compute', 'utility']] },
    ]);
    expect(describeContainer(spec, reach, 'cdi').HostConfig?.DeviceRequests).toEqual([
      { Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=GPU-1', 'nvidia.com/gpu=GPU-2'] },
    ]);
  });

  it('hides the GPUs from an engine on the CPU even where the image asks for all', () => {
    expect(describeContainer({ ...spec, gpuUuids: [] }, reach, 'nvidia').Env).toContain('NVIDIA_VISIBLE_DEVICES=void');
    expect(describeContainer(spec, reach, 'nvidia').Env).not.toContain('NVIDIA_VISIBLE_DEVICES=void');
  });

  it('keeps the environment out of the labels', () => {
    expect(JSON.stringify(describeContainer(spec, reach, 'nvidia').Labels)).not.toContain('secret');
  });
});

describe('readDeviceRequests', () => {
  it.each(['nvidia', 'cdi'] as const)('reads back what was asked of %s', (kind) => {
    expect(readDeviceRequests(deviceRequests(kind, spec.gpuUuids, ['utility']))).toEqual({ kind, gpuUuids: spec.gpuUuids });
    expect(readDeviceRequests(deviceRequests(kind, 'all', ['utility']))).toEqual({ kind, gpuUuids: 'all' });
    expect(readDeviceRequests(deviceRequests(kind, [], ['utility']))).toBeNull();
  });
});
