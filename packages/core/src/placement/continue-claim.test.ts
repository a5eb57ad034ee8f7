import { describe, expect, test } from 'vitest';
import type { Endpoint } from '../lifecycle/endpoint.ts';
import {
  claim,
  draining,
  gpu,
  memory,
  model,
  NOW_MS,
  ready,
  snapshot,
  starting,
  stopping,
  needs,
  unknown,
  view,
  wants,
} from '../testing/builders.ts';
import type { Plan } from './plan.ts';
import { plan } from './planner.ts';
import type { EndpointSnapshot, Snapshot } from './snapshot.ts';

const MINE = model('a');

/** The next step of `a`, which needs 80 MiB and claims those endpoints. */
function stepOf(victims: readonly EndpointSnapshot[], given: Partial<Snapshot> = {}): Plan {
  const generations: readonly Endpoint[] = victims.map((victim) => victim.endpoint);
  const placements = [wants('a', needs(80))];
  return plan(snapshot({ endpoints: victims, placements, claims: [claim('a', { 0: 80 }, generations)], ...given }), MINE);
}

const mine = { claimedBy: MINE };

describe('a placement that holds a claim', () => {
  test('1. starts as soon as it fits, without the victims that turned out unnecessary', () => {
    const unneeded = view(draining('b', { on: { 0: 20 }, ...mine }));
    expect(stepOf([unneeded])).toMatchObject({
      kind: 'apply',
      actions: [
        { kind: 'call-off-drain', generation: '1000b', spareUntilMs: null },
        { kind: 'start', model: 'a', allocations: memory({ 0: 80 }), discovery: false },
      ],
    });
  });

  test('1. starts on another GPU where it fits by now', () => {
    const victim = view(draining('b', { on: { 0: 90 }, ...mine }));
    expect(stepOf([victim], { gpus: [gpu(0), gpu(1)] })).toMatchObject({
      actions: [{ kind: 'call-off-drain' }, { kind: 'start', allocations: memory({ 1: 80 }) }],
    });
  });

  test('1. keeps a younger placement from building on a claim that is about to be given back', () => {
    const victim = draining('b', { on: { 0: 90 }, ...mine });
    const given = {
      gpus: [gpu(0), gpu(1)],
      endpoints: [view(victim)],
      claims: [claim('a', { 0: 80 }, [victim])],
      placements: [wants('a', needs(80), { arrivedAtMs: 1 }), wants('young', needs(10), { arrivedAtMs: 2 })],
    };
    expect(plan(snapshot(given), model('young'))).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'waiting-for-older-placement', model: 'a' }],
    });
  });

  test.each(['use', 'place'] as const)('3. is withdrawn when those who wait may only %s', (right) => {
    const victim = view(draining('b', { on: { 0: 90 }, ...mine }));
    expect(stepOf([victim], { placements: [wants('a', needs(80), { right })] })).toMatchObject({
      actions: [{ kind: 'withdraw-claim', model: 'a', spareUntilMs: null }],
    });
  });

  test('3. goes on when all victims stop already and those who wait may place', () => {
    expect(stepOf([view(stopping('b', { on: { 0: 90 } }))], { placements: [wants('a', needs(80), { right: 'place' })] })).toMatchObject({
      kind: 'wait',
    });
  });

  test('4. is withdrawn and planned anew when what it claims cannot suffice any more', () => {
    const victim = view(draining('b', { on: { 0: 50 }, ...mine }));
    const other = view(ready('c', { on: { 0: 40 } }));
    const decided = stepOf([victim], { endpoints: [victim, other], claims: [claim('a', { 0: 80 }, [victim.endpoint])] });
    expect(decided).toMatchObject({
      actions: [
        { kind: 'withdraw-claim', model: 'a' },
        { kind: 'write-claim', claim: { victims: ['1000b', '1000c'] } },
        { kind: 'begin-drain', generation: '1000b' },
        { kind: 'begin-drain', generation: '1000c' },
      ],
    });
  });

  test('4. is withdrawn when a victim was pinned meanwhile', () => {
    const pinned = view(draining('b', { on: { 0: 50 }, ...mine }), { pinned: true });
    const other = view(ready('c', { on: { 1: 90 } }));
    expect(stepOf([pinned], { gpus: [gpu(0), gpu(1)], endpoints: [pinned, other] })).toMatchObject({
      actions: [
        { kind: 'withdraw-claim' },
        { kind: 'write-claim', claim: { victims: ['1000c'], allocations: memory({ 1: 80 }) } },
        { kind: 'begin-drain' },
      ],
    });
  });

  test('4. is withdrawn when a victim was pinned meanwhile, though it would still fit beside it', () => {
    const pinned = view(draining('b', { on: { 0: 50 }, ...mine }), { pinned: true });
    const other = view(ready('c', { on: { 0: 50 } }));
    const given = { placements: [wants('a', needs(40))], claims: [claim('a', { 0: 40 }, [pinned.endpoint])] };
    expect(stepOf([pinned], { ...given, endpoints: [pinned, other] })).toMatchObject({
      actions: [{ kind: 'withdraw-claim' }, { kind: 'write-claim', claim: { victims: ['1000c'] } }, { kind: 'begin-drain' }],
    });
  });

  test('4. is withdrawn when the footprint was learned meanwhile', () => {
    const victim = view(draining('b', { on: { 0: 90 }, ...mine }));
    const claims = [claim('a', { 0: 100 }, [victim.endpoint], { discovery: true })];
    expect(stepOf([victim], { claims })).toMatchObject({
      actions: [{ kind: 'withdraw-claim' }, { kind: 'write-claim', claim: { discovery: false } }, {}],
    });
  });

  test('4. a discovery takes in an endpoint that was not there before', () => {
    const victim = view(draining('b', { on: { 0: 50 }, ...mine }));
    const adopted = view(ready('adopted', { on: { 0: 0 } }));
    const given = { claims: [claim('a', { 0: 100 }, [victim.endpoint], { discovery: true })], placements: [wants('a', unknown())] };
    expect(stepOf([victim], { ...given, endpoints: [victim, adopted] })).toMatchObject({
      actions: [{ kind: 'withdraw-claim' }, { kind: 'write-claim', claim: { victims: ['1000b', '1000adopted'] } }, {}, {}],
    });
  });

  test('5. a discovery claims less when foreign memory grew', () => {
    const victim = view(draining('b', { on: { 0: 50 }, ...mine }));
    const claims = [claim('a', { 0: 100 }, [victim.endpoint], { discovery: true })];
    expect(stepOf([victim], { gpus: [gpu(0, { foreignMiB: 5 })], claims, placements: [wants('a', unknown())] })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { allocations: memory({ 0: 95 }), victims: ['1000b'], drainingSinceMs: NOW_MS - 1000 } }],
    });
  });

  test('6. waits until the last of its victims is settled', () => {
    const settlesAtMs = NOW_MS + 20_000;
    const fresh = view(ready('b', { on: { 0: 50 }, readyAtMs: settlesAtMs - 30_000 }), { inFlight: 1 });
    const settled = view(ready('c', { on: { 0: 50 } }));
    expect(stepOf([fresh, settled])).toMatchObject({
      kind: 'wait',
      untilMs: settlesAtMs,
      reasons: [{ code: 'victim-not-settled', numbers: { settlesInMs: 20_000 } }],
    });
    expect(stepOf([view(starting('b', { on: { 0: 90 } }))])).toMatchObject({
      kind: 'wait',
      untilMs: null,
      reasons: [{ code: 'victim-not-settled' }],
    });
  });

  test('7. drains all that are ready, and dates the drain', () => {
    const victims = [view(ready('b', { on: { 0: 50 } })), view(stopping('c', { on: { 0: 50 } }))];
    const claims = [
      claim(
        'a',
        { 0: 80 },
        victims.map((victim) => victim.endpoint),
        { drainingSinceMs: null },
      ),
    ];
    expect(stepOf(victims, { claims })).toMatchObject({
      actions: [
        { kind: 'write-claim', claim: { drainingSinceMs: NOW_MS } },
        { kind: 'begin-drain', generation: '1000b', reason: 'evicted', claimedBy: 'a' },
      ],
    });
  });

  test('7. keeps the date when a victim became ready again', () => {
    expect(stepOf([view(ready('b', { on: { 0: 90 } }))])).toHaveProperty('actions', [expect.objectContaining({ kind: 'begin-drain' })]);
  });

  test('8. stops its victims only when all of them are drained', () => {
    const drained = view(draining('b', { on: { 0: 50 }, ...mine }), { drained: true });
    const busy = view(draining('c', { on: { 0: 50 }, ...mine }), { inFlight: 1 });
    expect(stepOf([drained, { ...busy, inFlight: 0, drained: true }])).toMatchObject({
      actions: [
        { kind: 'stop', generation: '1000b' },
        { kind: 'stop', generation: '1000c' },
      ],
    });
    expect(stepOf([drained, busy])).toMatchObject({
      kind: 'wait',
      untilMs: NOW_MS + 59_000,
      reasons: [{ code: 'waiting-for-drain', generation: '1000c', numbers: { inFlight: 1, timesOutInMs: 59_000 } }],
    });
  });

  test('9. spares its victims for five times the drain timeout when they do not drain in time', () => {
    const busy = view(draining('b', { on: { 0: 90 }, ...mine }), { inFlight: 1 });
    const claims = [claim('a', { 0: 80 }, [busy.endpoint], { drainingSinceMs: NOW_MS - 60_000 })];
    expect(stepOf([busy], { claims })).toMatchObject({
      actions: [{ kind: 'withdraw-claim', model: 'a', spareUntilMs: NOW_MS + 300_000 }],
      reasons: [{ code: 'drain-timed-out', numbers: { inFlight: 1, drainTimeoutMs: 60_000 } }, { code: 'claim-withdrawn' }],
    });
  });

  test('11. waits for the memory of those that stop', () => {
    const decided = stepOf([view(stopping('b', { on: { 0: 90 } }))]);
    expect(decided).toMatchObject({
      kind: 'wait',
      untilMs: null,
      reasons: [{ code: 'waiting-for-memory', generation: '1000b' }, { code: 'does-not-fit' }],
    });
  });
});
