import type { Footprint, FootprintKey, LoadTimes, StartingEndpoint } from '@berth/core';
import { CPU_PRODUCT } from '@berth/core';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { nothingLearned } from './footprint-book.ts';
import { footprintKeyOf } from './footprint-key.ts';

const LOADS_KEPT = 10;

/** Where the load times of this endpoint are kept; `null` where no GPU reading names its GPUs. */
export function loadKeyOf(context: Pick<TermContext, 'catalog' | 'gpus'>, endpoint: StartingEndpoint): FootprintKey | null {
  const { model, signature, imageId } = endpoint;
  if (settingsOf(context, model)?.gpus === 0) return { model, signature, imageId, gpuProduct: CPU_PRODUCT, gpuCount: 0 };
  return context.gpus.latest === null ? null : footprintKeyOf(endpoint, context.gpus.latest);
}

/** Times of earlier loads of the same launch, over all GPU products of this host. */
export function loadsOf({ book }: Pick<TermContext, 'book'>, endpoint: StartingEndpoint): readonly LoadTimes[] {
  const { model, signature, imageId, allocations } = endpoint;
  return book.ofLaunch({ model, signature, imageId, gpuCount: allocations.length }).flatMap(({ loads }) => loads);
}

/** The latest loads with this one. */
export function withLoad(loads: readonly LoadTimes[], load: LoadTimes): readonly LoadTimes[] {
  return [...loads, load].slice(-LOADS_KEPT);
}

/** Learns how long a load took where nothing is learned of its memory. Throws as the store does. */
export async function learnLoadTime(context: TermContext, endpoint: StartingEndpoint, load: LoadTimes): Promise<void> {
  const key = loadKeyOf(context, endpoint);
  if (key === null) return;
  const earlier: Footprint = context.book.find(key) ?? nothingLearned(key);
  await context.book.put({ ...earlier, loads: withLoad(earlier.loads, load), learnedAtMs: load.atMs });
}
