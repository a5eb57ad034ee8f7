import { asId, type EdgeReplicaView, type WaiterReport, type Wish } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { model } from '../testing/builders.ts';
import { readDemand } from './demand.ts';

const NOW_MS = 10_000;

function edge(...waiters: readonly Partial<WaiterReport>[]): EdgeReplicaView {
  const report = { model: model('one'), right: 'use', count: 1, oldestArrivedAtMs: 9_000, latestDeadlineAtMs: 20_000 } as const;
  return { id: asId('edge'), leases: [], waiters: waiters.map((given) => ({ ...report, ...given })), expiresInMs: 1_000 };
}

function wish(given: Partial<Wish> = {}): Wish {
  return { id: 'wish', model: model('one'), right: 'place', kind: 'waiter', arrivedAtMs: 8_000, endsAtMs: 20_000, ...given };
}

describe('demand', () => {
  it('adds up the waiters of all edges, each right with the arrival of its own oldest', () => {
    const edges = [
      edge({ count: 2, right: 'place', oldestArrivedAtMs: 9_500 }, { count: 1, right: 'displace', oldestArrivedAtMs: 9_200 }),
      edge({ count: 3, right: 'displace' }, { right: 'use', oldestArrivedAtMs: 7_000 }),
    ];
    expect([...readDemand({ nowMs: NOW_MS, edges, wishes: [] }).values()]).toEqual([
      {
        model: 'one',
        asks: [
          { right: 'displace', arrivedAtMs: 9_000 },
          { right: 'use', arrivedAtMs: 7_000 },
        ],
        waiters: 7,
        preloadOnly: false,
      },
    ]);
  });

  it('lends no eviction the age of a wish that may only place', () => {
    const wishes = [wish({ id: 'place', arrivedAtMs: 1_000 }), wish({ id: 'displace', right: 'displace', arrivedAtMs: 5_000 })];
    expect(readDemand({ nowMs: NOW_MS, edges: [], wishes }).get(model('one'))?.asks).toEqual([
      { right: 'displace', arrivedAtMs: 5_000 },
      { right: 'place', arrivedAtMs: 1_000 },
    ]);
  });

  it('counts a wish for age and right, and not as a waiter', () => {
    const demand = readDemand({ nowMs: NOW_MS, edges: [edge({})], wishes: [wish()] }).get(model('one'));
    expect(demand).toMatchObject({ asks: [{ arrivedAtMs: 8_000, right: 'place' }], waiters: 1 });
  });

  it.each([
    ['no waiter', [edge({ count: 0 })], []],
    ['a wish that ended', [], [wish({ endsAtMs: NOW_MS })]],
  ])('is not there for %s', (_, edges, wishes) => {
    expect(readDemand({ nowMs: NOW_MS, edges, wishes }).size).toBe(0);
  });

  it.each([
    ['only preloads ask', [wish({ kind: 'preload' })], [], true],
    ['somebody waits as well', [wish({ kind: 'preload' })], [edge({})], false],
    ['an operator wishes as well', [wish({ kind: 'preload' }), wish({ id: 'load', kind: 'operator' })], [], false],
  ])('knows whether %s', (_, wishes, edges, preloadOnly) => {
    expect(readDemand({ nowMs: NOW_MS, edges, wishes }).get(model('one'))?.preloadOnly).toBe(preloadOnly);
  });
});
