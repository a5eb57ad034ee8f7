import { describe, expect, it } from 'vitest';
import { hubRefPath, hubSnapshotPath, parseModelSource } from './hub-cache.ts';
import { leastMemoryMiB, parseWeightsType } from './least-memory.ts';
import { parseSafetensorsIndex, weightsBytes } from './weights-bytes.ts';

const GIB = 1024 ** 3;
const files = (sizes: Readonly<Record<string, number>>) => Object.entries(sizes).map(([path, sizeBytes]) => ({ path, sizeBytes }));

describe('weightsBytes', () => {
  it.each([
    ['all shards', { 'model-00001-of-00002.safetensors': 50, 'model-00002-of-00002.safetensors': 30, 'config.json': 1 }, 80],
    ['safetensors and not their pickled copies', { 'model.safetensors': 50, 'pytorch_model.bin': 51, 'consolidated.00.pth': 52 }, 50],
    ['no consolidated copy', { 'model.safetensors': 50, 'consolidated.safetensors': 51 }, 50],
    ['a consolidated file that stands alone', { 'consolidated.safetensors': 51, 'params.json': 1 }, 51],
    ['pickles without what training left', { 'pytorch_model.bin': 51, 'training_args.bin': 1, 'optimizer.pt': 100 }, 51],
    ['no files in folders', { 'model.safetensors': 50, 'original/model.safetensors': 60, 'onnx/model.bin': 70 }, 50],
    [
      'the smallest variant of GGUF, all its parts',
      { 'a-Q8_0.gguf': 90, 'q4/a-Q4_K_M-00001-of-00002.gguf': 30, 'q4/a-Q4_K_M-00002-of-00002.gguf': 20, 'mmproj-f16.gguf': 1 },
      50,
    ],
    ['nothing', { 'config.json': 1 }, null],
  ])('counts %s', (_case, sizes, bytes) => {
    expect(weightsBytes(files(sizes))).toBe(bytes);
  });

  it('counts the variant of GGUF that is asked for', () => {
    expect(weightsBytes(files({ 'a-Q8_0.gguf': 90, 'a-Q4_K_M.gguf': 50 }), { variant: 'q8_0' })).toBe(90);
  });

  it('believes the index, also about shards that are not downloaded yet', () => {
    const index = parseSafetensorsIndex(
      '{"metadata":{"total_size":160},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}',
    );
    expect(index?.files).toEqual(['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']);
    expect(weightsBytes(files({ 'model-00001-of-00002.safetensors': 80 }), { index })).toBe(160);
  });

  it('counts the files of an index that names no total', () => {
    const index = parseSafetensorsIndex('{"weight_map":{"a":"one.safetensors"}}');
    expect(weightsBytes(files({ 'one.safetensors': 80, 'two.safetensors': 70 }), { index })).toBe(80);
  });

  it.each(['', '{}', '[]', '{"weight_map":[]}'])('takes %j for no index', (text) => {
    expect(parseSafetensorsIndex(text)).toBeNull();
  });
});

describe('leastMemoryMiB', () => {
  const base = { weightsBytes: 16 * GIB, weightsType: 'bfloat16', kvCacheBytes: 4 * GIB, gpuCount: 1, args: [] as string[] };

  it.each([
    ['weights, KV cache and context', {}, 20 * 1024 + 300],
    ['the share of one GPU, but its whole KV cache', { gpuCount: 2 }, 12 * 1024 + 300],
    ['no KV cache that the engine sizes itself', { kvCacheBytes: null }, 16 * 1024 + 300],
    ['nothing for unknown weights', { weightsBytes: null }, 4 * 1024 + 300],
    ['half of wide weights, which are loaded narrow', { weightsType: 'float32' }, 12 * 1024 + 300],
    ['all of wide weights that stay wide', { weightsType: 'float32', args: ['--dtype=float32'] }, 20 * 1024 + 300],
    ['half when the type is unknown', { weightsType: null }, 12 * 1024 + 300],
    ['a quarter of what may be quantised on the way', { args: ['--quantization', 'bitsandbytes'] }, 8 * 1024 + 300],
    ['less what stays in main memory', { args: ['--cpu-offload-gb', '10'] }, 10 * 1024 + 300],
    ['no weights that are made up', { args: ['--load-format', 'dummy'] }, 4 * 1024 + 300],
  ])('counts %s', (_case, changes, mib) => {
    expect(leastMemoryMiB({ ...base, ...changes })).toBe(mib);
  });
});

describe('parseWeightsType', () => {
  it.each([
    ['{"torch_dtype":"bfloat16"}', 'bfloat16'],
    ['{"dtype":"torch.float16"}', 'float16'],
    ['{"text_config":{"dtype":"bfloat16"}}', 'bfloat16'],
    ['{"model_type":"bert"}', null],
    ['no json', null],
  ])('reads %s as %j', (text, type) => {
    expect(parseWeightsType(text)).toBe(type);
  });
});

describe('the Hugging Face cache', () => {
  it.each([
    ['meta-llama/Llama-3.1-8B-Instruct', { kind: 'hub', modelId: 'meta-llama/Llama-3.1-8B-Instruct', variant: null }],
    ['gpt2', { kind: 'hub', modelId: 'gpt2', variant: null }],
    ['unsloth/Qwen3-GGUF:Q4_K_M', { kind: 'hub', modelId: 'unsloth/Qwen3-GGUF', variant: 'Q4_K_M' }],
    ['/models/llama', { kind: 'path', path: '/models/llama' }],
    ['./llama', { kind: 'path', path: './llama' }],
    ['~/models/llama', { kind: 'path', path: '~/models/llama' }],
    ['models/a/b', { kind: 'path', path: 'models/a/b' }],
  ])('takes %s for what it is', (source, expected) => {
    expect(parseModelSource(source)).toEqual(expected);
  });

  it('finds the commit that a revision names', () => {
    const folder = '/cache/hub/models--org--name';
    expect(hubRefPath('/cache/', 'org/name')).toBe(`${folder}/refs/main`);
    expect(hubSnapshotPath('/cache', 'org/name', { refText: 'abc\n', snapshots: ['old', 'abc'] })).toBe(`${folder}/snapshots/abc`);
    expect(hubSnapshotPath('/cache', 'org/name', { refText: null, snapshots: ['abc'] }, 'abc')).toBe(`${folder}/snapshots/abc`);
  });

  it('finds nothing when that commit is not there', () => {
    expect(hubSnapshotPath('/cache', 'org/name', { refText: 'abc', snapshots: ['old'] })).toBeNull();
    expect(hubSnapshotPath('/cache', 'org/name', { refText: null, snapshots: [] })).toBeNull();
  });
});
