import { expect, test } from 'vitest';
import { gpu } from '../testing/builders.ts';
import { gpuSets } from './gpu-sets.ts';
import type { GpuSnapshot } from './snapshot.ts';

const indexes = (sets: readonly (readonly GpuSnapshot[])[]) => sets.map((set) => set.map((each) => each.index));
const noRoom = (): number => 0;

test('a set has GPUs of one product only', () => {
  const gpus = [gpu(0), gpu(1, { product: 'Other' }), gpu(2), gpu(3)];
  expect(indexes(gpuSets(gpus, 2, noRoom))).toEqual([
    [0, 2],
    [0, 3],
    [2, 3],
  ]);
});

test('there is no set of more GPUs than a product has', () => {
  expect(gpuSets([gpu(0), gpu(1)], 3, noRoom)).toEqual([]);
});

test('among more than ten GPUs the emptiest ones and neighbours are looked at', () => {
  const gpus = Array.from({ length: 12 }, (_, index) => gpu(index));
  const sets = indexes(gpuSets(gpus, 4, (each) => (each.index % 3 === 0 ? 1 : 0)));
  expect(sets[0]).toEqual([0, 3, 6, 9]);
  expect(sets).toContainEqual([8, 9, 10, 11]);
  expect(sets).toHaveLength(10);
});
