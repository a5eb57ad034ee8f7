import { expect, test } from 'vitest';
import { gpuUuid, ready, stopping } from '../testing/builders.ts';
import { card, processes, reading } from '../testing/readings.ts';
import type { GpuProcess } from './gpu-reading.ts';
import { type Release, type ReleaseInput, releaseOf } from './release.ts';

const gone = stopping('gone', { on: { 0: 500 }, generation: '1', exitedAtMs: 1000 });
const neighbour = ready('b', { on: { 0: 230 }, generation: '2', measured: [{ gpuUuid: gpuUuid(0), vramMiB: 200 }] });

/** 100 MiB were foreign before; the neighbour is process 22. */
function release(usedMiB: number | null, rows: readonly GpuProcess[] | null, given: Partial<ReleaseInput> = {}): Release {
  return releaseOf({
    endpoint: gone,
    reading: reading([card(0, { usedMiB })], rows),
    pids: [11],
    endpoints: [gone, neighbour],
    processIds: new Map([
      [gone.generation, [11]],
      [neighbour.generation, [22]],
    ]),
    settledForeignMiB: new Map([[gpuUuid(0), 100]]),
    nowMs: 2000,
    exitedAtMs: 1000,
    timeoutMs: 60_000,
    ...given,
  });
}

test('memory is held while the driver lists a process of the endpoint', () => {
  expect(release(300, processes([11, 1], [22, 200]))).toBe('waiting');
});

test('memory is held until used memory fell by what was measured', () => {
  expect(release(800, processes([22, 200]))).toBe('waiting');
  expect(release(300, processes([22, 200]))).toBe('released');
});

test('a neighbour that grows meanwhile holds nothing up', () => {
  expect(release(500, processes([22, 400]))).toBe('released');
});

test('noise of 64 MiB holds nothing up', () => {
  expect(release(364, processes([22, 200]))).toBe('released');
  expect(release(365, processes([22, 200]))).toBe('waiting');
});

test('without memory per process the measured neighbours count', () => {
  expect(release(800, null)).toBe('waiting');
  expect(release(300, null)).toBe('released');
});

test('the list of processes decides where nobody knows what was foreign before', () => {
  expect(release(800, processes([22, 200]), { settledForeignMiB: new Map() })).toBe('released');
  expect(release(300, null, { settledForeignMiB: new Map() })).toBe('waiting');
});

test('a missing reading is no release', () => {
  expect(release(null, processes())).toBe('waiting');
  expect(release(300, null, { reading: null })).toBe('waiting');
});

test('what is not released in time becomes foreign', () => {
  expect(release(800, processes([22, 200]), { nowMs: 60_999 })).toBe('waiting');
  expect(release(800, processes([22, 200]), { nowMs: 61_000 })).toBe('timed-out');
  expect(release(300, processes([22, 200]), { nowMs: 61_000 })).toBe('released');
});

test('an endpoint without GPUs has nothing to release', () => {
  expect(release(null, null, { endpoint: { ...gone, allocations: [] }, reading: null })).toBe('released');
});
