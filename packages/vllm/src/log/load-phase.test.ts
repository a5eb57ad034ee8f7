import { describe, expect, it } from 'vitest';
import { parseLoadPhase } from './load-phase.ts';
import { readRecorded } from '../../recorded/read-recorded.ts';

/** The phases that a log goes through, as someone sees them who reads it line by line. */
function phasesOf(lines: readonly string[]): string[] {
  const seen = lines.map((_line, index) => parseLoadPhase(lines.slice(0, index + 1)).phase);
  return seen.filter((phase, index) => phase !== seen[index - 1]);
}

describe('parseLoadPhase', () => {
  it('says created before the engine writes anything', () => {
    expect(parseLoadPhase([])).toEqual({ phase: 'created', fraction: null });
  });

  it('follows a recorded start on the CPU', () => {
    expect(phasesOf(readRecorded('cpu-startup.log'))).toEqual(['importing', 'weights', 'kv-cache', 'warming-up', 'listening']);
  });

  it('follows a start on two GPUs, without jumping back when workers write at different times', () => {
    expect(phasesOf(readRecorded('gpu-startup-pinned.log'))).toEqual([
      'importing',
      'weights',
      'compiling',
      'profiling',
      'kv-cache',
      'graphs',
      'warming-up',
      'listening',
    ]);
  });

  it('counts the shards of a checkpoint', () => {
    const lines = readRecorded('gpu-startup-pinned.log');
    const fractionAfter = (text: string): number | null =>
      parseLoadPhase(lines.slice(0, lines.findIndex((line) => line.includes(text)) + 1)).fraction;
    expect(fractionAfter('Starting to load model')).toBeNull();
    expect(fractionAfter('| 0/10')).toBe(0);
    expect(fractionAfter('| 4/10')).toBe(0.4);
    expect(fractionAfter('Loading weights took')).toBe(1);
    expect(fractionAfter('Dynamo bytecode')).toBeNull();
    expect(fractionAfter('Capturing CUDA graphs')).toBe(1);
  });

  it('counts files that are downloaded', () => {
    const lines = ['Starting to load model org/x...', 'Fetching 8 files:  25%|██▌       | 2/8 [00:10<00:30,  5.0s/it]'];
    expect(parseLoadPhase(lines)).toEqual({ phase: 'downloading', fraction: 0.25 });
  });

  it('reads loaders of other formats', () => {
    expect(parseLoadPhase(['Loading safetensors using Fastsafetensor loader:  14% Completed | 1/7 [00:00<?, ?it/s]'])).toEqual({
      phase: 'weights',
      fraction: 1 / 7,
    });
  });

  it('does not take settings that are printed at the start for phases', () => {
    const settings =
      '(APIServer pid=1) WARNING 11-23 16:38:35 [vllm.py:1703] Enforce eager set, disabling torch.compile, CUDAGraphs, and JIT kernel warmup.';
    expect(parseLoadPhase([settings]).phase).toBe('importing');
  });

  it('works on the end of a log alone', () => {
    expect(parseLoadPhase(readRecorded('cpu-startup.log').slice(-1)).phase).toBe('listening');
  });
});
