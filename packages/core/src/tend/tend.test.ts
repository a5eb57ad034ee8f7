import { describe, expect, test } from 'vitest';
import { draining, gpu, NOW_MS, ready, snapshot, stopping, view } from '../testing/builders.ts';
import type { EndpointSnapshot } from '../placement/snapshot.ts';
import { chooseIdle } from './choose-idle.ts';
import { chooseOverBudget } from './choose-over-budget.ts';
import { chooseSuperseded } from './choose-superseded.ts';

const generations = (views: readonly EndpointSnapshot[]): readonly string[] => views.map((each) => each.endpoint.generation);
const idle = (name: string, given: Partial<EndpointSnapshot> = {}) =>
  view(ready(name, { on: { 0: 40 } }), { lastUsedAtMs: NOW_MS - 900_000, ...given });

const choose = (...endpoints: readonly EndpointSnapshot[]) => generations(chooseIdle(snapshot({ endpoints }), () => 900_000));
const over = (foreignMiB: number | null, ...endpoints: readonly EndpointSnapshot[]) =>
  generations(chooseOverBudget(snapshot({ gpus: [gpu(0, { foreignMiB })], endpoints })));

describe('idle stops', () => {
  test('retire what was not used for the idle timeout', () => {
    expect(choose(idle('a'), idle('b', { lastUsedAtMs: NOW_MS - 899_999 }))).toEqual(['1000a']);
  });

  test('leave alone what is pinned, busy, waited for or not ready', () => {
    const leaving = view(draining('e', { on: { 0: 1 } }));
    expect(choose(idle('a', { pinned: true }), idle('b', { inFlight: 1 }), idle('c', { waiters: 1 }), leaving)).toEqual([]);
  });

  test('count from becoming ready where nobody used it', () => {
    const fresh = view(ready('a', { readyAtMs: NOW_MS - 1000 }), { lastUsedAtMs: 0 });
    expect(choose(fresh)).toEqual([]);
  });

  test('do not exist for a model without an idle timeout', () => {
    expect(chooseIdle(snapshot({ endpoints: [idle('a')] }), () => null)).toEqual([]);
  });
});

describe('superseded endpoints', () => {
  test('are replaced once nothing was in flight for a while, pinned ones too', () => {
    const endpoints = [
      idle('a', { current: false, lastUsedAtMs: NOW_MS - 5000 }),
      idle('b', { current: false, lastUsedAtMs: NOW_MS - 4999 }),
      idle('c', { current: false, inFlight: 1 }),
      idle('d', { current: false, pinned: true }),
      idle('e'),
    ];
    expect(generations(chooseSuperseded(snapshot({ endpoints }), 5000))).toEqual(['1000a', '1000d']);
  });
});

describe('over budget', () => {
  test('the least recently used idle endpoints go, as many as bring the GPU back', () => {
    const endpoints = [idle('a', { lastUsedAtMs: 2 }), idle('b', { lastUsedAtMs: 1 })];
    expect(over(20, ...endpoints)).toEqual([]);
    expect(over(21, ...endpoints)).toEqual(['1000b']);
    expect(over(61, ...endpoints)).toEqual(['1000b', '1000a']);
  });

  test('all that are idle go when they do not suffice', () => {
    expect(over(90, idle('a'), idle('b', { inFlight: 1 }))).toEqual(['1000a']);
  });

  test('pinned, busy and waited-for ones stay', () => {
    expect(over(90, idle('a', { pinned: true }), idle('b', { inFlight: 1 }), idle('c', { waiters: 1 }))).toEqual([]);
  });

  test('nobody goes for memory that is coming back, or may be seen twice', () => {
    expect(over(60, idle('a'), view(draining('b', { on: { 0: 40 }, reason: 'idle' })))).toEqual([]);
    expect(over(90, idle('a'), view(stopping('b', { on: { 0: 40 } })))).toEqual([]);
  });

  test('nobody goes on a GPU whose foreign memory is unknown', () => {
    expect(over(null, idle('a'), idle('b'), idle('c'))).toEqual([]);
  });
});
