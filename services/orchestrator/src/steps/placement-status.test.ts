import { asId, type Footprint, type FootprintStore } from '@berth/core';
import { expect, it } from 'vitest';
import { FootprintBook } from '../learn/footprint-book.ts';
import { starting } from '../testing/builders.ts';
import { etaOf } from './placement-status.ts';

const loading = starting('one', { on: { 0: 100 }, startedAtMs: 1_000 });
const term = { epoch: '1', signal: new AbortController().signal, isCurrent: () => true };

async function bookOf(...loadsMs: readonly number[]) {
  const { model, signature, imageId } = loading;
  const footprint: Footprint = {
    model,
    signature,
    imageId,
    gpuProduct: 'Card',
    gpuCount: 1,
    vramMiB: 100,
    source: 'discovered',
    samples: [],
    loads: loadsMs.map((totalMs) => ({ totalMs, byPhaseMs: {}, atMs: 0 })),
    kvCacheBytes: null,
    breakdownMiB: {},
    learnedAtMs: 0,
  };
  const store: FootprintStore = { list: async () => [footprint], put: async () => undefined };
  return { book: await FootprintBook.open(store, term) };
}

it.each([
  ['the median of earlier loads less what has passed', [30_000, 10_000, 20_000], loading, 6_000, 15_000],
  ['all of it before the engine was started', [20_000], { ...loading, startedAtMs: null }, 6_000, 20_000],
  ['nothing when the load takes longer than ever', [20_000], loading, 60_000, 0],
  ['unknown before the first load', [], loading, 6_000, null],
  ['unknown for another launch', [20_000], { ...loading, signature: asId<typeof loading.signature>('other') }, 6_000, null],
])('the time left is %s', async (_, loadsMs, endpoint, nowMs, expected) => {
  expect(etaOf(await bookOf(...loadsMs), endpoint, nowMs)).toBe(expected);
});
