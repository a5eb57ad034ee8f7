import type { GpuSnapshot } from './snapshot.ts';

/** Up to this many GPUs of one product every combination is looked at: C(10, 5) = 252. */
const ENUMERATED_GPUS = 10;

/**
 * The sets of `gpuCount` GPUs of one product that a model could run on, in the order of their indexes. With more than ten GPUs of a
 * product only neighbours and the emptiest ones are looked at; `room` says how empty a GPU is.
 */
export function gpuSets(
  gpus: readonly GpuSnapshot[],
  gpuCount: number,
  room: (gpu: GpuSnapshot) => number,
): readonly (readonly GpuSnapshot[])[] {
  const byProduct = Map.groupBy(
    gpus.toSorted((a, b) => a.index - b.index),
    (gpu) => gpu.product,
  );
  return [...byProduct.values()].flatMap((alike) =>
    alike.length <= ENUMERATED_GPUS || gpuCount === 1 ? combinations(alike, gpuCount) : likelySets(alike, gpuCount, room),
  );
}

function combinations<Item>(items: readonly Item[], count: number): readonly (readonly Item[])[] {
  if (count === 0) return [[]];
  return items.flatMap((item, at) => combinations(items.slice(at + 1), count - 1).map((rest) => [item, ...rest]));
}

function likelySets(
  alike: readonly GpuSnapshot[],
  gpuCount: number,
  room: (gpu: GpuSnapshot) => number,
): readonly (readonly GpuSnapshot[])[] {
  if (alike.length < gpuCount) return [];
  const emptiest = alike.toSorted((a, b) => room(b) - room(a) || a.index - b.index).slice(0, gpuCount);
  const neighbours = alike.slice(gpuCount - 1).map((_, at) => alike.slice(at, at + gpuCount));
  return [emptiest.toSorted((a, b) => a.index - b.index), ...neighbours];
}
