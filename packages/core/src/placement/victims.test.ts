import { describe, expect, test } from 'vitest';
import { draining, gpuUuid, NOW_MS, ready, snapshot, starting, stopping, view } from '../testing/builders.ts';
import { rankVictims } from './rank-victims.ts';
import { isWithinResidency, residencyEndsAtMs } from './residency.ts';
import { selectVictims } from './select-victims.ts';
import type { EndpointSnapshot } from './snapshot.ts';

const generations = (views: readonly EndpointSnapshot[] | null): readonly string[] | null =>
  views?.map((each) => each.endpoint.generation) ?? null;

const on = (vramMiB: number, name: string): EndpointSnapshot => view(ready(name, { on: { 0: vramMiB } }));
const missing = (vramMiB: number) => new Map([[gpuUuid(0), vramMiB]]);
const readyFor = (ms: number, loadMs: number) => ready('a', { on: { 0: 10 }, readyAtMs: NOW_MS - ms, loadMs });

describe('the order of eviction', () => {
  // Each differs from the one before it in the next criterion only, and would win by all criteria after that.
  const inOrder = [
    view(stopping('a', { on: { 0: 10 }, generation: '16' }), { lastUsedAtMs: 8 }),
    view(draining('a', { on: { 0: 10 }, generation: '15', reason: 'idle' }), { lastUsedAtMs: 7 }),
    view(ready('a', { on: { 0: 10 }, generation: '9' }), { lastUsedAtMs: 5 }),
    view(ready('a', { on: { 0: 10 }, generation: '10' }), { lastUsedAtMs: 5 }),
    view(ready('a', { on: { 0: 10 }, generation: '8' }), { lastUsedAtMs: 6 }),
    view(ready('a', { on: { 0: 10 }, generation: '7' }), { lastUsedAtMs: 4, inFlight: 1 }),
    view(starting('a', { on: { 0: 10 }, generation: '6' }), { lastUsedAtMs: 3 }),
  ];

  test('is: stopping, leaving, settled, idle, least recently used, older generation', () => {
    expect(generations(rankVictims(inOrder.toReversed(), snapshot({})))).toEqual(generations(inOrder));
  });

  test('leaves the list that it was given as it was', () => {
    const given = Object.freeze(inOrder.toReversed());
    expect(generations(rankVictims(given, snapshot({})))).not.toEqual(generations(given));
  });
});

describe('a set of victims', () => {
  test('is the first of the ranked ones that suffice', () => {
    expect(generations(selectVictims([on(10, 'a'), on(10, 'b'), on(10, 'c')], missing(15)))).toEqual(['1000a', '1000b']);
  });

  test('drops those that a later one makes superfluous', () => {
    expect(generations(selectVictims([on(4, 'a'), on(20, 'b')], missing(15)))).toEqual(['1000b']);
  });

  test('drops the most valuable one first', () => {
    expect(generations(selectVictims([on(6, 'a'), on(6, 'b'), on(7, 'c')], missing(13)))).toEqual(['1000a', '1000c']);
  });

  test('does not exist when all of them do not suffice', () => {
    expect(selectVictims([on(4, 'a')], missing(5))).toBeNull();
  });

  test('counts an endpoint on each of its GPUs', () => {
    const wide = view(ready('wide', { on: { 0: 10, 1: 10 } }));
    const both = new Map([
      [gpuUuid(0), 10],
      [gpuUuid(1), 10],
    ]);
    expect(generations(selectVictims([on(10, 'a'), wide], both))).toEqual(['1000wide']);
  });
});

describe('residency', () => {
  const { settings } = snapshot({});

  test.each([
    ['30 s when half of the load took less', 29_999, 1000, true],
    ['until 30 s are over', 30_000, 1000, false],
    ['half of the load time when that is longer', 99_999, 200_000, true],
    ['until half of the load time is over', 100_000, 200_000, false],
  ])('lasts %s', (_, readyForMs, loadMs, within) => {
    expect(isWithinResidency(view(readyFor(readyForMs, loadMs), { inFlight: 1 }), settings, NOW_MS)).toBe(within);
  });

  test('ends early by 5 s with nothing in flight and no waiter', () => {
    const endpoint = readyFor(10_000, 1000);
    expect(isWithinResidency(view(endpoint, { lastUsedAtMs: NOW_MS - 4999 }), settings, NOW_MS)).toBe(true);
    expect(isWithinResidency(view(endpoint, { lastUsedAtMs: NOW_MS - 5000 }), settings, NOW_MS)).toBe(false);
    expect(isWithinResidency(view(endpoint, { lastUsedAtMs: NOW_MS - 5000, waiters: 1 }), settings, NOW_MS)).toBe(true);
  });

  test('gives those who waited 5 s to come, also when nobody ever used it', () => {
    expect(isWithinResidency(view(readyFor(4999, 1000)), settings, NOW_MS)).toBe(true);
    expect(isWithinResidency(view(readyFor(5000, 1000)), settings, NOW_MS)).toBe(false);
  });

  test('is nothing that a starting or leaving endpoint has', () => {
    expect(residencyEndsAtMs(view(starting('a')), settings)).toBeNull();
    expect(residencyEndsAtMs(view(draining('a')), settings)).toBeNull();
  });
});
