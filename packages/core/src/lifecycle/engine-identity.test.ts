import { describe, expect, it } from 'vitest';
import { asId } from '../ids.ts';
import type { EngineIdentity } from '../ports/engine-runtime.ts';
import { formatEngineIdentity, parseEngineIdentity, toEngineIdentity } from './engine-identity.ts';

const identity: EngineIdentity = {
  installationId: asId('installation'),
  hostId: 'local',
  generation: asId('1780000000000'),
  model: asId('llama'),
  signature: asId('signature'),
  imageId: 'sha256:1',
  hasCounter: true,
  servedNames: ['llama', 'gpt-4o-mini'],
  allocations: [{ gpuUuid: asId('GPU-1'), vramMiB: 9000 }],
  discovery: false,
  kvCacheBytes: null,
  port: 8000,
  createdAtMs: 1_780_000_000_000,
};

describe('engine identity', () => {
  it('survives being written and read', () => {
    expect(parseEngineIdentity(formatEngineIdentity(identity))).toEqual(identity);
  });

  it('carries nothing but the identity', () => {
    const spec = { ...identity, env: { HF_TOKEN: 'secret' } };
    expect(toEngineIdentity(spec)).toEqual(identity);
    expect(formatEngineIdentity(spec)).not.toContain('secret');
  });

  it.each([
    ['broken text', '{'],
    ['no object', '[]'],
    ['another version', JSON.stringify({ ...identity, version: 2 })],
    ['a missing field', JSON.stringify({ ...identity, version: 1, model: undefined })],
    ['a field of another type', JSON.stringify({ ...identity, version: 1, allocations: [{ gpuUuid: 'GPU-1', vramMiB: '9000' }] })],
  ])('is null for %s', (_what, text) => {
    expect(parseEngineIdentity(text)).toBeNull();
  });
});
