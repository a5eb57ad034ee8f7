import { readFileSync } from 'node:fs';
import type { HostReading } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { measureProcesses } from './measure-processes.ts';
import { parseComputeApps } from './parse-compute-apps.ts';
import { parseGpus } from './parse-gpus.ts';

const recorded = (name: string): string => readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8');

function readingOf(host: string): HostReading {
  return { atMs: 0, gpus: parseGpus(recorded(`gpus-${host}.csv`)), processes: parseComputeApps(recorded(`apps-${host}.csv`)) };
}

describe('measureProcesses', () => {
  it('sums per GPU what the given processes hold, and nothing of others', () => {
    expect(measureProcesses(readingOf('h100-pair'), [41800, 41878, 41877])).toEqual([
      { gpuUuid: 'GPU-5f6c1a52-8a0e-4c7b-9d1e-2f3a4b5c6d7e', vramMiB: 17890 },
      { gpuUuid: 'GPU-0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0', vramMiB: 17996 },
    ]);
  });

  it('adds up several processes on one GPU', () => {
    expect(measureProcesses(readingOf('h100-pair'), [41210, 977])).toEqual([
      { gpuUuid: 'GPU-5f6c1a52-8a0e-4c7b-9d1e-2f3a4b5c6d7e', vramMiB: 27314 },
    ]);
  });

  it('is unknown when a process has no memory of its own in the list', () => {
    expect(measureProcesses(readingOf('wsl2'), [712])).toBeNull();
  });

  it('is unknown when none of the processes is listed, never zero', () => {
    expect(measureProcesses(readingOf('h100-pair'), [1])).toBeNull();
    expect(measureProcesses(readingOf('h100-pair'), [])).toBeNull();
  });

  it('is unknown when the driver lists no processes', () => {
    expect(measureProcesses({ ...readingOf('h100-pair'), processes: null }, [41210])).toBeNull();
  });
});
