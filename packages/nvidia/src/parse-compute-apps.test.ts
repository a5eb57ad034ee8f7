import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseComputeApps } from './parse-compute-apps.ts';

const recorded = (name: string): string => readFileSync(new URL(`../recorded/${name}`, import.meta.url), 'utf8');

describe('parseComputeApps', () => {
  it('reads every process with its memory, one row per GPU', () => {
    const processes = parseComputeApps(recorded('apps-h100-pair.csv'));
    expect(processes).toHaveLength(4);
    expect(processes?.[0]).toEqual({
      gpuUuid: 'GPU-5f6c1a52-8a0e-4c7b-9d1e-2f3a4b5c6d7e',
      pid: 41210,
      name: 'VLLM::EngineCore',
      usedMiB: 25310,
    });
  });

  it('keeps commas in a process name', () => {
    expect(parseComputeApps(recorded('apps-h100-pair.csv'))?.[3]).toMatchObject({
      pid: 977,
      name: '/opt/render, batch/worker',
      usedMiB: 2004,
    });
  });

  it('keeps a process whose memory is not told, as unknown, and leaves out one without an id', () => {
    expect(parseComputeApps(recorded('apps-wsl2.csv'))).toMatchObject([{ pid: 712, usedMiB: null }]);
  });

  it('reads an empty answer as no process', () => {
    expect(parseComputeApps('\n')).toEqual([]);
  });

  it.each([
    ['a driver that lists no processes', '[Not Supported]\n'],
    ['rows without any process id', 'GPU-1d2c3b4a-5968-7786-95a4-b3c2d1e0f9a8, [N/A], [Insufficient Permissions], [N/A]\n'],
  ])('says unknown for %s', (_case, text) => {
    expect(parseComputeApps(text)).toBeNull();
  });

  it.each([
    ['too few columns', 'GPU-1d2c3b4a-5968-7786-95a4-b3c2d1e0f9a8, 712, 12'],
    ['a process id that is no number', 'GPU-1d2c3b4a-5968-7786-95a4-b3c2d1e0f9a8, seven, python, 12'],
    ['memory that is no number', 'GPU-1d2c3b4a-5968-7786-95a4-b3c2d1e0f9a8, 7, python, plenty'],
    ['prose', 'No running processes found'],
  ])('refuses %s and shows the line', (_case, text) => {
    expect(() => parseComputeApps(text)).toThrowError(expect.objectContaining({ code: 'GPU_PROBE_FAILED', details: { line: text } }));
  });
});
