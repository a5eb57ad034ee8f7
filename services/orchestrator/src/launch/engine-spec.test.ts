import { asId, type Generation } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { gpuUuid, memory } from '../testing/builders.ts';
import { catalogOf, onlyModel } from '../testing/catalog.ts';
import { buildEngineSpec, containerNameOf } from './engine-spec.ts';

const GENERATION = asId<Generation>('1780000000000');

function specOf(
  model: Readonly<Record<string, unknown>>,
  host: Readonly<Record<string, unknown>> = {},
  environment: Record<string, string> = {},
) {
  const catalog = catalogOf({ host: { huggingfaceCache: '/hf', ...host }, models: { 'Org/My-Model': model } });
  return buildEngineSpec({
    catalog,
    model: onlyModel(catalog),
    signature: asId('signature'),
    generation: GENERATION,
    imageId: 'sha256:1',
    allocations: memory({ 1: 9_000 }),
    gpuUuids: [gpuUuid(1)],
    discovery: false,
    kvCacheBytes: 2 * 1024 ** 3,
    installationId: asId('0123456789abcdef'),
    vllmCacheVolume: 'berth-vllm-cache',
    createdAtMs: 1,
    environment,
  });
}

describe("a vLLM's container", () => {
  it('serves every name with the pinned KV cache on the port that the runtime picks', () => {
    const { args, servedNames, gpuUuids, hasCounter } = specOf({ source: 'a/b', aliases: ['gpt'], args: ['--max-model-len', '2048'] });
    expect(args.join(' ')).toContain('--served-model-name Org/My-Model gpt');
    expect(args.join(' ')).toContain(`--kv-cache-memory-bytes ${2 * 1024 ** 3}`);
    expect(args).toContain('{port}');
    expect({ servedNames, gpuUuids, hasCounter }).toEqual({ servedNames: ['Org/My-Model', 'gpt'], gpuUuids: ['GPU-1'], hasCounter: true });
  });

  it('mounts the caches and what the catalog names, and nothing else', () => {
    const { mounts } = specOf({ source: '/weights/mine', volumes: ['/data:/data:ro'] });
    expect(mounts.map(({ source, target, readOnly }) => [source, target, readOnly])).toEqual([
      ['/hf', '/root/.cache/huggingface', false],
      ['berth-vllm-cache', '/root/.cache/vllm', false],
      ['/weights/mine', '/models/Org/My-Model', true],
      ['/data', '/data', true],
    ]);
  });

  it('gets the token for gated models, the order of GPUs that nvidia-smi counts in, and its own variables over ours', () => {
    const { env } = specOf({ source: 'a/b', env: { CUDA_DEVICE_ORDER: 'FASTEST_FIRST' } }, {}, { HF_TOKEN: 'hf_secretsecret', OTHER: 'x' });
    expect(env).toMatchObject({ HF_TOKEN: 'hf_secretsecret', HF_HOME: '/root/.cache/huggingface', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' });
    expect(env).not.toHaveProperty('OTHER');
  });
});

it('gives another engine its arguments as they are, no cache and no token', () => {
  const spec = specOf({ engine: 'openai', image: 'example/tool:1', args: ['--port', '{port}'] }, {}, { HF_TOKEN: 'hf_secretsecret' });
  expect(spec).toMatchObject({ args: ['--port', '{port}'], mounts: [], env: {}, hasCounter: false });
});

it('names a container readably, uniquely, and as a DNS label', () => {
  const name = containerNameOf(asId('0123456789abcdef'), 'Org/My Model with a very long name indeed', GENERATION);
  expect(name).toMatch(/^berth-01234567-org-my-model-[a-z0-9-]+-1780000000000$/);
  expect(name.length).toBeLessThanOrEqual(63);
  expect(containerNameOf(asId('0123456789abcdef'), '模型', GENERATION)).toBe('berth-01234567-model-1780000000000');
});
