import { asId, COLD_START_PHASES, coldStartPhaseOf, CPU_PRODUCT, type Footprint, type FootprintStore } from '@berth/core';
import { LOAD_PHASES } from '@berth/vllm';
import { expect, it } from 'vitest';
import { FootprintBook, nothingLearned } from '../learn/footprint-book.ts';
import type { LoadObservation } from '../tasks/load-watch.ts';
import { starting } from '../testing/builders.ts';
import { loadStatus } from './placement-status.ts';

const loading = starting('one', { on: { 0: 100 }, startedAtMs: 1_000, phase: 'weights' });
const term = { epoch: '1', signal: new AbortController().signal, isCurrent: () => true };
const BY_PHASE = { created: 1_000, weights: 10_000, graphs: 4_000, probing: 1_000 };

async function contextOf(options: {
  readonly key?: Partial<Footprint>;
  readonly loads?: Footprint['loads'];
  readonly watched?: Extract<LoadObservation, { kind: 'loading' }> | null;
}) {
  const { model, signature, imageId } = loading;
  const key = { model, signature, imageId, gpuProduct: 'Card', gpuCount: 1, ...options.key };
  const loads = options.loads ?? [{ totalMs: 16_000, byPhaseMs: BY_PHASE, atMs: 0 }];
  const store: FootprintStore = { list: async () => [{ ...nothingLearned(key), loads }], put: async () => undefined };
  return { book: await FootprintBook.open(store, term), loads: { phaseOf: () => options.watched ?? null } };
}

it('tells phase, progress and time left of a load by what earlier ones took', async () => {
  const watched = { kind: 'loading', phase: 'weights', progress: 0.25, sinceMs: 2_000 } as const;
  expect(loadStatus(await contextOf({ watched }), loading, 7_000)).toEqual({
    detail: 'weights',
    progress: 6_000 / 16_000,
    phaseProgress: 0.25,
    etaMs: 10_000,
  });
});

it('tells the time left from the reservation on, and of a load that nobody watches yet', async () => {
  const reserved = { ...loading, phase: 'created', startedAtMs: null };
  expect(loadStatus(await contextOf({}), reserved, 7_000)).toMatchObject({ detail: 'created', progress: 0, etaMs: 16_000 });
  expect(loadStatus(await contextOf({}), loading, 7_000)).toMatchObject({ detail: 'weights', etaMs: 10_000 });
});

it.each([
  ['before the first load', { loads: [] }],
  ['for another launch', { key: { signature: asId<typeof loading.signature>('other') } }],
  ['for another number of GPUs', { key: { gpuProduct: CPU_PRODUCT, gpuCount: 0 } }],
])('tells no time left %s', async (_, options) => {
  expect(loadStatus(await contextOf(options), loading, 6_000)).toMatchObject({ progress: null, etaMs: null });
});

it('has a word for clients for every phase that a log tells, in the same order', () => {
  const words = [...LOAD_PHASES, 'probing'].map((phase) => coldStartPhaseOf(phase));
  expect(words).not.toContain(undefined);
  const places = words.map((word) => COLD_START_PHASES.findIndex((known) => known === word));
  expect(places).toEqual(places.toSorted((one, other) => one - other));
});
