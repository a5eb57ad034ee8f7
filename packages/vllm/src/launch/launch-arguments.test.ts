import { describe, expect, it } from 'vitest';
import { launchArguments, pinnedKvCacheBytes } from './launch-arguments.ts';
import type { LaunchOptions } from './launch-arguments.ts';

const GIB = 1024 ** 3;
const base: LaunchOptions = {
  source: 'meta-llama/Llama-3.1-8B-Instruct',
  servedNames: ['llama-3.1-8b', 'gpt-4o-mini'],
  args: [],
  kvCacheBytes: 4 * GIB,
  gpuCount: 1,
  port: 8000,
  host: '0.0.0.0',
  version: [0, 30, 0],
};
const launch = (changes: Partial<LaunchOptions>): string => launchArguments({ ...base, ...changes }).join(' ');

describe('launchArguments', () => {
  it('pins the KV cache and lets it decide the context length', () => {
    expect(launchArguments(base)).toEqual([
      'meta-llama/Llama-3.1-8B-Instruct',
      '--host',
      '0.0.0.0',
      '--port',
      '8000',
      '--served-model-name',
      'llama-3.1-8b',
      'gpt-4o-mini',
      '--kv-cache-memory-bytes',
      '4294967296',
      '--gpu-memory-utilization',
      '0.02',
      '--max-model-len',
      'auto',
    ]);
  });

  it("puts the catalog's own arguments last, so that they win", () => {
    expect(launch({ args: ['--max-num-seqs', '8', '--enforce-eager'] })).toMatch(/ --max-num-seqs 8 --enforce-eager$/u);
  });

  it.each([['--max-model-len', '8192'], ['--max-model-len=8192'], ['--max_model_len', '8k'], ['--max-model-len', '-1']])(
    'leaves the context length alone when it is given as %s',
    (...args) => {
      expect(launch({ args })).not.toContain('--max-model-len auto');
    },
  );

  it.each([
    [['--kv-cache-memory-bytes', '2G'], 2 * GIB],
    [['--kv-cache-memory-bytes=2147483648'], 2 * GIB],
    [['--kv-cache-memory=2147483648'], 2 * GIB],
    [['--kv_cache_memory_bytes', '2g'], 2_000_000_000],
  ])('takes over a KV cache given as %s and still passes the check at start', (args, bytes) => {
    expect(launch({ args })).not.toContain('4294967296');
    expect(launch({ args })).toContain('--gpu-memory-utilization 0.02');
    expect(pinnedKvCacheBytes({ ...base, args })).toBe(bytes);
  });

  it.each([[['--gpu-memory-utilization', '0.4']], [['--num-gpu-blocks-override=512']]])(
    'leaves the sizing to the engine when %s is given',
    (args) => {
      expect(launch({ args })).not.toMatch(/kv-cache-memory-bytes|0\.02/u);
      expect(pinnedKvCacheBytes({ ...base, args })).toBeNull();
    },
  );

  it('says what it pins', () => {
    expect(pinnedKvCacheBytes(base)).toBe(4 * GIB);
  });

  it('does not fit the context on the CPU, where that silently means 512 tokens', () => {
    expect(launch({ gpuCount: 0 })).not.toContain('--max-model-len');
    expect(launch({ gpuCount: 0 })).toContain('--kv-cache-memory-bytes 4294967296');
  });

  it('splits a model over its GPUs unless the arguments say how', () => {
    expect(launch({ gpuCount: 4 })).toContain('--tensor-parallel-size 4');
    expect(launch({ gpuCount: 1 })).not.toContain('parallel');
    for (const args of [['-tp', '2', '-pp', '2'], ['--tensor-parallel-size=4'], ['--pipeline-parallel-size', '4']]) {
      expect(launch({ gpuCount: 4, args })).not.toContain('--tensor-parallel-size 4 ');
    }
  });

  it('leaves the port to the runtime where it fills it in', () => {
    expect(launch({ port: '{port}', host: '127.0.0.1' })).toContain('--host 127.0.0.1 --port {port}');
  });

  it('adds no flag that an old version does not know', () => {
    expect(launch({ version: [0, 10, 1] })).not.toMatch(/kv-cache-memory-bytes|utilization|auto/u);
    expect(launch({ version: [0, 13, 0] })).not.toContain('auto');
    expect(launch({ version: [0, 13, 0] })).toContain('--kv-cache-memory-bytes');
    expect(pinnedKvCacheBytes({ ...base, version: [0, 10, 1] })).toBeNull();
  });

  it('treats an unknown version as the newest', () => {
    expect(launch({ version: null })).toBe(launch({}));
  });

  it("refuses every flag that is Berth's to set, all at once and with what to do", () => {
    const args = ['--port=9000', '--api_key', 'x', '--max-num-seqs', '4'];
    expect(() => launchArguments({ ...base, args })).toThrowError(
      expect.objectContaining({
        code: 'INVALID_CATALOG',
        details: { flags: ['--port', '--api-key'] },
        message: expect.stringContaining('or write it into `port`'),
      }),
    );
  });
});
