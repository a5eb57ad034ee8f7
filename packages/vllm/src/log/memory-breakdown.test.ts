import { describe, expect, it } from 'vitest';
import { parseMemoryBreakdown } from './memory-breakdown.ts';
import { readRecorded } from '../../recorded/read-recorded.ts';
import { parseSupportedTasks } from './supported-tasks.ts';

describe('parseMemoryBreakdown', () => {
  it('reads a start with a pinned KV cache, the largest rank of each part', () => {
    expect(parseMemoryBreakdown(readRecorded('gpu-startup-pinned.log'))).toEqual({
      partsMiB: { weights: 10148, kvCache: 4096, freeAtStart: 80292, graphs: 635 },
      kvCacheTokens: 177_504,
      maxModelLen: 172_032,
    });
  });

  it('reads the sum that the engine draws up when it measured itself', () => {
    expect(parseMemoryBreakdown(readRecorded('gpu-startup-profiled.log'))).toEqual({
      partsMiB: { weights: 10015, kvCache: 3082, graphs: 51, consumed: 10721, activation: 809, freeAtStart: 15647 },
      kvCacheTokens: 100_752,
      maxModelLen: null,
    });
  });

  it('reads a recorded start on the CPU', () => {
    expect(parseMemoryBreakdown(readRecorded('cpu-startup.log'))).toEqual({
      partsMiB: { kvCache: 1024 },
      kvCacheTokens: 524_288,
      maxModelLen: 512,
    });
  });

  it('leaves out what the log does not tell', () => {
    expect(parseMemoryBreakdown(['INFO:     Application startup complete.'])).toEqual({
      partsMiB: {},
      kvCacheTokens: null,
      maxModelLen: null,
    });
  });
});

describe('parseSupportedTasks', () => {
  it('reads what an engine serves', () => {
    expect(parseSupportedTasks(readRecorded('cpu-startup.log'))).toEqual(['generate']);
    expect(parseSupportedTasks(readRecorded('gpu-startup-pinned.log'))).toEqual(['generate', 'transcription']);
    expect(parseSupportedTasks(["INFO 09-03 08:48:03 [api_server.py:1] Supported_tasks: ['embed', 'token_embed']"])).toEqual([
      'embed',
      'token_embed',
    ]);
  });

  it('is unknown when the log does not say', () => {
    expect(parseSupportedTasks(readRecorded('failure-out-of-memory.log'))).toBeNull();
  });
});
