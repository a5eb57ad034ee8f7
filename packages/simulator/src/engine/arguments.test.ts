import { describe, expect, it } from 'vitest';
import { parseEngineArguments, parseHumanInteger } from './arguments.ts';
import { resolveProfile } from './model-profile.ts';

function parse(...argv: string[]) {
  const parsed = parseEngineArguments(argv);
  return parsed.kind === 'serve' ? parsed.arguments : parsed;
}

describe('the command line of vllm serve', () => {
  it('reads what Berth passes, with and without "serve" in front', () => {
    const flags = [
      'org/m-8b',
      '--kv-cache-memory-bytes',
      '4G',
      '--gpu-memory-utilization=0.02',
      '--max-model-len',
      'auto',
      '--port',
      '8001',
    ];
    expect(parse('serve', ...flags)).toEqual(parse(...flags));
    expect(parse(...flags)).toMatchObject({
      model: 'org/m-8b',
      servedModelNames: ['org/m-8b'],
      kvCacheMemoryBytes: 4 * 2 ** 30,
      gpuMemoryUtilization: 0.02,
      maxModelLenAuto: true,
      port: 8001,
    });
  });

  it('takes several served names, underscores, negative numbers and switches turned off', () => {
    expect(parse('m', '--served_model_name', 'a', 'b', '--max-model-len', '-1', '--enforce-eager', '--no-enforce-eager')).toMatchObject({
      servedModelNames: ['a', 'b'],
      maxModelLenAuto: true,
      enforceEager: false,
    });
  });

  it.each([
    [['m', '--no-such-flag', '1'], 'unrecognized arguments: --no-such-flag 1'],
    [['serve', 'serve', 'm'], 'unrecognized arguments: serve'],
    [['m', '--port'], 'argument --port: expected one argument'],
    [['m', '--kv-cache-memory-bytes', 'much'], "argument --kv-cache-memory-bytes: invalid human_readable_int value: 'much'"],
  ])('refuses %j as argparse does', (argv, message) => {
    expect(parse(...argv)).toEqual({ kind: 'refused', message });
  });

  it.each([
    ['4096', 4096],
    ['4k', 4000],
    ['4K', 4096],
    ['25.6k', 25_600],
    ['1G', 2 ** 30],
    ['4.5', undefined],
  ])('reads the number %s', (text, value) => {
    expect(parseHumanInteger(text)).toBe(value);
  });
});

describe('the profile of a model', () => {
  it('follows from its name', () => {
    expect(resolveProfile(['meta-llama/Llama-3.1-8B-Instruct'], {}, {})).toMatchObject({
      weightsMiB: 15_259,
      kvBytesPerToken: 131_072,
      task: 'generate',
    });
    expect(resolveProfile(['Qwen/Qwen3-Embedding-0.6B'], {}, {})).toMatchObject({ weightsMiB: 1145, task: 'embed' });
    expect(resolveProfile(['BAAI/bge-reranker-v2-m3'], {}, {}).task).toBe('score');
    expect(resolveProfile(['org/m-70b-awq'], {}, {}).weightsMiB).toBe(40_055);
  });

  it('is overridden by the settings for all models, for its names, and by the environment, in this order', () => {
    const models = { '*': { weightsMiB: 1, graphsMiB: 2, tokenDelayMs: 3 }, alias: { graphsMiB: 20, tokenDelayMs: 30 } };
    const environment = {
      SIMULATED_ENGINE_TOKEN_DELAY_MS: '300',
      SIMULATED_ENGINE_NEVER_READY: 'true',
      SIMULATED_ENGINE_CRASH_AT_PHASE: 'weights',
    };
    expect(resolveProfile(['m', 'alias'], models, environment)).toMatchObject({
      weightsMiB: 1,
      graphsMiB: 20,
      tokenDelayMs: 300,
      neverReady: true,
      crashAtPhase: 'weights',
    });
    expect(resolveProfile(['m'], {}, { SIMULATED_ENGINE_KV_BYTES_PER_TOKEN: '5', SIMULATED_ENGINE_WEIGHTS_MIB: '7' })).toMatchObject({
      kvBytesPerToken: 5,
      weightsMiB: 7,
    });
  });
});
