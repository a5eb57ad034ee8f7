import { describe, expect, test } from 'vitest';
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
import type { Snapshot } from './snapshot.ts';

const planOf = (name: string, given: Partial<Snapshot>): Plan => plan(snapshot(given), model(name));
const start = (name: string, on: Record<number, number>, discovery = false) => ({
  kind: 'start',
  model: name,
  allocations: memory(on),
  discovery,
});
const codes = (decided: Plan): readonly string[] => decided.reasons.map((reason) => reason.code);

describe('a model that has an endpoint', () => {
  test('is served by the ready one', () => {
    const own = ready('a', { on: { 0: 40 } });
    expect(planOf('a', { endpoints: [view(own)], placements: [wants('a', needs(40))] })).toMatchObject({
      kind: 'serving',
      generation: own.generation,
    });
  });

  test('is served by one of the present launch signature before a superseded one', () => {
    const old = view(ready('a', { on: { 0: 40 }, generation: '1' }), { current: false });
    const current = view(ready('a', { on: { 0: 40 }, generation: '2' }));
    expect(planOf('a', { endpoints: [old, current], placements: [wants('a', needs(40))] })).toMatchObject({
      kind: 'serving',
      generation: '2',
    });
    expect(planOf('a', { endpoints: [old], placements: [wants('a', needs(40))] })).toMatchObject({ kind: 'serving', generation: '1' });
  });

  test('joins a start that is under way', () => {
    const own = starting('a', { on: { 0: 40 } });
    expect(planOf('a', { endpoints: [view(own)], placements: [wants('a', needs(40))] })).toMatchObject({
      kind: 'joined',
      generation: own.generation,
    });
  });

  test('has the drain of an idle stop called off', () => {
    const own = draining('a', { on: { 0: 40 }, reason: 'idle' });
    expect(planOf('a', { endpoints: [view(own)], placements: [wants('a', needs(40))] })).toMatchObject({
      kind: 'apply',
      actions: [{ kind: 'call-off-drain', generation: own.generation, spareUntilMs: null }],
    });
  });

  test('has the claim of a younger placement on it withdrawn', () => {
    const own = draining('a', { on: { 0: 80 }, claimedBy: model('b') });
    const decided = planOf('a', {
      endpoints: [view(own)],
      placements: [wants('a', needs(80), { arrivedAtMs: 1 }), wants('b', needs(80), { arrivedAtMs: 2 })],
      claims: [claim('b', { 0: 80 }, [own])],
    });
    expect(decided).toMatchObject({ kind: 'apply', actions: [{ kind: 'withdraw-claim', model: 'b', spareUntilMs: null }] });
  });

  test('leaves it to the claim of an older placement', () => {
    const own = draining('a', { on: { 0: 80 }, claimedBy: model('b') });
    const decided = planOf('a', {
      endpoints: [view(own)],
      placements: [wants('a', needs(80), { arrivedAtMs: 2 }), wants('b', needs(80), { arrivedAtMs: 1 })],
      claims: [claim('b', { 0: 80 }, [own])],
    });
    expect(decided).toMatchObject({ kind: 'wait' });
    expect(codes(decided)).toContain('victim-claimed');
  });

  test.each(['operator', 'superseded'] as const)('does not get back one that drains because of: %s', (reason) => {
    const own = view(draining('a', { on: { 0: 40 }, reason }), { current: false });
    expect(planOf('a', { endpoints: [own], placements: [wants('a', needs(40))] })).toMatchObject({
      kind: 'apply',
      actions: [start('a', { 0: 40 })],
    });
  });
});

describe('a model that runs on the CPU', () => {
  test('starts with no GPU, whatever runs on them', () => {
    const full = [view(ready('b', { on: { 0: 100 } }))];
    expect(planOf('a', { endpoints: full, placements: [wants('a', { kind: 'cpu' })] })).toMatchObject({
      kind: 'apply',
      actions: [start('a', {})],
    });
  });

  test('is not started for those who may only use it', () => {
    expect(planOf('a', { placements: [wants('a', { kind: 'cpu' }, { right: 'use' })] })).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'may-not-place' }],
    });
  });
});

describe('a model that fits on no GPU, whatever is stopped', () => {
  test('is refused with the numbers when it exceeds every budget', () => {
    const decided = planOf('a', { gpus: [gpu(0), gpu(1, { budgetMiB: 120 })], placements: [wants('a', needs(150))] });
    expect(decided).toMatchObject({ kind: 'refuse', code: 'DOES_NOT_FIT', retryAfterMs: null });
    expect(decided).toHaveProperty('message', expect.stringMatching(/150 MiB.*120 MiB/));
    expect(decided.reasons).toContainEqual(expect.objectContaining({ code: 'does-not-fit', numbers: { needMiB: 150, budgetMiB: 120 } }));
  });

  test('is refused at once when what is known to be needed at least exceeds them', () => {
    expect(planOf('a', { placements: [wants('a', unknown({ atLeastMiB: 101 }))] })).toMatchObject({ kind: 'refuse', code: 'DOES_NOT_FIT' });
  });

  test('is refused with the names of the pinned models that are in the way', () => {
    const decided = planOf('a', {
      endpoints: [view(ready('kept', { on: { 0: 30 } }), { pinned: true })],
      placements: [wants('a', needs(80))],
    });
    expect(decided).toMatchObject({
      kind: 'refuse',
      code: 'DOES_NOT_FIT',
      reasons: [{ code: 'victim-pinned', model: 'kept', numbers: { pinnedMiB: 30 } }],
    });
    expect(decided).toHaveProperty('message', expect.stringContaining('kept'));
  });

  test('waits, and is not refused, when a pinned model is being stopped by an operator', () => {
    const leaving = view(draining('kept', { on: { 0: 30 }, reason: 'operator' }), { pinned: true });
    expect(planOf('a', { endpoints: [leaving], placements: [wants('a', needs(80))] })).toMatchObject({ kind: 'wait' });
  });

  test('is refused for now when foreign memory is in the way', () => {
    const decided = planOf('a', { gpus: [gpu(0, { foreignMiB: 30 })], placements: [wants('a', needs(80))] });
    expect(decided).toMatchObject({ kind: 'refuse', code: 'NO_CAPACITY_NOW', retryAfterMs: 30_000, reasons: [{ code: 'foreign-memory' }] });
  });

  test('waits where foreign memory is not known', () => {
    const decided = planOf('a', { gpus: [gpu(0, { foreignMiB: null })], placements: [wants('a', needs(80))] });
    expect(decided).toMatchObject({ kind: 'wait', reasons: [{ code: 'waiting-for-readings', gpuUuid: 'GPU-0' }] });
  });

  test('is refused when no product has that many GPUs', () => {
    const gpus = [gpu(0), gpu(1), gpu(2, { product: 'Other' })];
    const decided = planOf('a', { gpus, placements: [wants('a', needs(10, { gpuCount: 3 }))] });
    expect(decided).toMatchObject({
      kind: 'refuse',
      code: 'DOES_NOT_FIT',
      reasons: [{ code: 'no-such-gpu-count', numbers: { gpuCount: 3, gpus: 3, mostAlike: 2 } }],
    });
  });

  test('gives its claim back before it is refused', () => {
    const victim = draining('b', { on: { 0: 50 }, claimedBy: model('a') });
    const decided = planOf('a', {
      gpus: [gpu(0, { foreignMiB: 30 })],
      endpoints: [view(victim)],
      placements: [wants('a', needs(80))],
      claims: [claim('a', { 0: 80 }, [victim])],
    });
    expect(decided).toMatchObject({ kind: 'apply', actions: [{ kind: 'withdraw-claim', model: 'a' }] });
  });
});

describe('a known footprint that fits', () => {
  test('starts beside the others, on the GPU that it leaves least over on', () => {
    const gpus = [gpu(0), gpu(1), gpu(2)];
    const endpoints = [view(ready('b', { on: { 1: 50 } })), view(ready('c', { on: { 2: 70 } }))];
    expect(planOf('a', { gpus, endpoints, placements: [wants('a', needs(40))] })).toMatchObject({
      kind: 'apply',
      actions: [start('a', { 1: 40 })],
    });
  });

  test('on several GPUs takes the emptiest ones', () => {
    const gpus = [gpu(0), gpu(1), gpu(2)];
    const endpoints = [view(ready('b', { on: { 1: 50 } }))];
    const placements = [wants('a', needs(40, { gpuCount: 2 }))];
    expect(planOf('a', { gpus, endpoints, placements })).toMatchObject({ actions: [start('a', { 0: 40, 2: 40 })] });
  });

  test('waits for the start slot of its GPU, also when it is alone', () => {
    const decided = planOf('a', { endpoints: [view(starting('b', { on: { 0: 20 } }))], placements: [wants('a', needs(40))] });
    expect(decided).toMatchObject({ kind: 'wait', reasons: [{ code: 'waiting-for-start-slot', gpuUuid: 'GPU-0' }, { code: 'fits' }] });
  });

  test('starts where the slot is free, though it fits better where it is taken', () => {
    const endpoints = [view(starting('b', { on: { 0: 20 } }))];
    const decided = planOf('a', { gpus: [gpu(0), gpu(1)], endpoints, placements: [wants('a', needs(40))] });
    expect(decided).toMatchObject({ actions: [start('a', { 1: 40 })] });
  });

  test('is kept waiting by an older one that the slot and the memory are owed to', () => {
    const endpoints = [view(starting('b', { on: { 0: 20 } }))];
    const placements = [wants('old', needs(60), { arrivedAtMs: 1 }), wants('young', needs(30), { arrivedAtMs: 2, right: 'place' })];
    expect(planOf('old', { endpoints, placements })).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'waiting-for-start-slot' }, { code: 'fits' }],
    });
    expect(codes(planOf('young', { endpoints, placements }))).toEqual(['may-not-displace', 'does-not-fit']);
  });

  test('waits while an older one takes the start slot in its next step', () => {
    const placements = [wants('old', needs(60), { arrivedAtMs: 1 }), wants('young', needs(30), { arrivedAtMs: 2 })];
    expect(codes(planOf('young', { placements }))).toEqual(['waiting-for-start-slot', 'fits']);
  });

  test('waits for an older one that is to start on several GPUs at once', () => {
    const endpoints = [view(starting('b', { on: { 0: 20 } }))];
    const placements = [wants('wide', needs(60, { gpuCount: 2 }), { arrivedAtMs: 1 }), wants('young', needs(30), { arrivedAtMs: 2 })];
    expect(codes(planOf('young', { gpus: [gpu(0), gpu(1)], endpoints, placements }))).toEqual(['waiting-for-start-slot', 'fits']);
  });

  test('does not start on a GPU that is over its budget', () => {
    const endpoints = [view(ready('b', { on: { 0: 95 } }), { inFlight: 1 })];
    const decided = planOf('a', { gpus: [gpu(0, { foreignMiB: 10 })], endpoints, placements: [wants('a', needs(1), { right: 'place' })] });
    expect(decided).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'may-not-displace' }, { code: 'over-budget', numbers: { overcommittedMiB: 5 } }],
    });
  });

  test('respects what a claim exceeds its own victims', () => {
    const victim = draining('b', { on: { 0: 40 }, claimedBy: model('c') });
    const decided = planOf('a', {
      endpoints: [view(victim)],
      placements: [wants('c', needs(80), { arrivedAtMs: 1 }), wants('a', needs(21), { arrivedAtMs: 2, right: 'place' })],
      claims: [claim('c', { 0: 80 }, [victim])],
    });
    expect(decided.reasons).toContainEqual(
      expect.objectContaining({ code: 'does-not-fit', numbers: expect.objectContaining({ availableMiB: 20, claimExcessMiB: 40 }) }),
    );
  });
});

describe('a known footprint that does not fit', () => {
  test('evicts exactly the least recently used, and nothing else', () => {
    const endpoints = [
      view(ready('b', { on: { 0: 30 } }), { lastUsedAtMs: 300 }),
      view(ready('c', { on: { 0: 30 } }), { lastUsedAtMs: 100 }),
      view(ready('d', { on: { 0: 30 } }), { lastUsedAtMs: 200 }),
    ];
    const decided = planOf('a', { endpoints, placements: [wants('a', needs(40))] });
    expect(decided).toMatchObject({
      kind: 'apply',
      actions: [
        {
          kind: 'write-claim',
          claim: { model: 'a', allocations: memory({ 0: 40 }), victims: ['1000c'], drainingSinceMs: NOW_MS, discovery: false },
        },
        { kind: 'begin-drain', generation: '1000c', reason: 'evicted', claimedBy: 'a' },
      ],
    });
    expect(codes(decided)).toEqual(['does-not-fit', 'victim-chosen', 'claim-written', 'drain-begun']);
  });

  test('claims at once, but drains later, when a victim is within its residency', () => {
    const fresh = view(ready('b', { on: { 0: 80 }, readyAtMs: NOW_MS - 1000 }), { inFlight: 1 });
    const decided = planOf('a', { endpoints: [fresh], placements: [wants('a', needs(40))] });
    expect(decided).toMatchObject({ kind: 'apply', actions: [{ kind: 'write-claim', claim: { drainingSinceMs: null } }] });
    expect(decided).toHaveProperty('actions.length', 1);
  });

  test('takes memory that is coming back before it evicts anybody', () => {
    const endpoints = [view(ready('b', { on: { 0: 50 } })), view(stopping('c', { on: { 0: 50 } }))];
    expect(planOf('a', { endpoints, placements: [wants('a', needs(40))] })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { victims: ['1000c'] } }],
    });
  });

  test('chooses the GPU where the last used victim was used longest ago', () => {
    const endpoints = [
      view(ready('b', { on: { 0: 80 } }), { lastUsedAtMs: 200 }),
      view(ready('c', { on: { 1: 80 } }), { lastUsedAtMs: 100 }),
    ];
    expect(planOf('a', { gpus: [gpu(0), gpu(1)], endpoints, placements: [wants('a', needs(40))] })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { victims: ['1000c'] } }, { kind: 'begin-drain' }],
    });
  });

  test('frees two GPUs with one victim that is on both', () => {
    const endpoints = [
      view(ready('wide', { on: { 0: 80, 1: 80 } }), { lastUsedAtMs: 100 }),
      view(ready('c', { on: { 2: 80 } }), { lastUsedAtMs: 300 }),
    ];
    const placements = [wants('a', needs(40, { gpuCount: 2 }))];
    expect(planOf('a', { gpus: [gpu(0), gpu(1), gpu(2)], endpoints, placements })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { victims: ['1000wide'], allocations: memory({ 0: 40, 1: 40 }) } }, { kind: 'begin-drain' }],
    });
  });

  test('waits when nobody who asks may displace', () => {
    const endpoints = [view(ready('b', { on: { 0: 80 } }))];
    expect(codes(planOf('a', { endpoints, placements: [wants('a', needs(40), { right: 'place' })] }))).toEqual([
      'may-not-displace',
      'does-not-fit',
    ]);
  });

  test('waits for spared victims while they are busy, and says until when', () => {
    const spared = ready('b', { on: { 0: 80 }, sparedUntilMs: NOW_MS + 5000 });
    const placements = [wants('a', needs(40))];
    const decided = planOf('a', { endpoints: [view(spared, { inFlight: 2 })], placements });
    expect(decided).toMatchObject({ kind: 'wait', untilMs: NOW_MS + 5000 });
    expect(codes(decided)).toEqual(['no-victims-left', 'does-not-fit', 'victim-spared']);
    expect(planOf('a', { endpoints: [view(spared)], placements })).toMatchObject({
      kind: 'apply',
      actions: [{ kind: 'write-claim' }, { kind: 'begin-drain' }],
    });
  });

  test('never takes the victim of an older claim, and waits for it', () => {
    const victim = draining('b', { on: { 0: 100 }, claimedBy: model('c') });
    const placements = [wants('c', needs(90), { arrivedAtMs: 1 }), wants('a', needs(40), { arrivedAtMs: 2 })];
    const decided = planOf('a', { endpoints: [view(victim)], placements, claims: [claim('c', { 0: 90 }, [victim])] });
    expect(codes(decided)).toEqual(['no-victims-left', 'does-not-fit', 'victim-claimed']);
  });

  test('has the claim of a younger placement withdrawn when nothing else suffices', () => {
    const victim = draining('b', { on: { 0: 100 }, claimedBy: model('young') });
    const placements = [wants('old', needs(40), { arrivedAtMs: 1 }), wants('young', needs(90), { arrivedAtMs: 2 })];
    const claims = [claim('young', { 0: 90 }, [victim])];
    const decided = planOf('old', { endpoints: [view(victim)], placements, claims });
    expect(decided).toMatchObject({
      actions: [
        { kind: 'withdraw-claim', model: 'young' },
        { kind: 'write-claim', claim: { model: 'old', victims: ['1000b'] } },
        { kind: 'begin-drain' },
      ],
    });
    expect(planOf('young', { endpoints: [view(victim)], placements, claims })).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'waiting-for-older-placement', model: 'old' }],
    });
  });

  test('leaves a younger claim alone that is in nobody’s way, though an older one has to give way', () => {
    const b = draining('b', { on: { 0: 100 }, claimedBy: model('y1') });
    const c = draining('c', { on: { 1: 50 }, claimedBy: model('y2') });
    const placements = [
      wants('old', needs(60), { arrivedAtMs: 1 }),
      wants('y1', needs(90), { arrivedAtMs: 2 }),
      wants('y2', needs(40), { arrivedAtMs: 3 }),
    ];
    const claims = [claim('y1', { 0: 90 }, [b]), claim('y2', { 1: 40 }, [c])];
    const decided = planOf('old', { gpus: [gpu(0), gpu(1, { budgetMiB: 50 })], endpoints: [view(b), view(c)], placements, claims });
    expect(decided).toMatchObject({ actions: [{ kind: 'withdraw-claim', model: 'y1' }, { kind: 'write-claim' }, { kind: 'begin-drain' }] });
  });

  test('on several GPUs would rather evict an idle one than a busy one, and a settled one than a fresh one', () => {
    const gpus = [gpu(0), gpu(1)];
    const busy = view(ready('b', { on: { 0: 80 } }), { inFlight: 1 });
    const fresh = view(ready('c', { on: { 0: 80 }, readyAtMs: NOW_MS - 1000 }));
    const idle = view(ready('d', { on: { 1: 90 } }), { lastUsedAtMs: NOW_MS - 1 });
    for (const other of [busy, fresh]) {
      expect(planOf('a', { gpus, endpoints: [other, idle], placements: [wants('a', needs(40))] })).toMatchObject({
        actions: [{ kind: 'write-claim', claim: { victims: ['1000d'] } }, {}],
      });
    }
  });

  test('frees as little as it can where all else is equal', () => {
    const endpoints = [view(ready('b', { on: { 0: 90 } })), view(ready('c', { on: { 1: 70 } }))];
    expect(planOf('a', { gpus: [gpu(0), gpu(1)], endpoints, placements: [wants('a', needs(40))] })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { victims: ['1000c'] } }, {}],
    });
  });

  test('leaves a younger claim alone when another victim suffices', () => {
    const claimed = draining('b', { on: { 0: 100 }, claimedBy: model('young') });
    const endpoints = [view(claimed), view(ready('c', { on: { 1: 100 } }))];
    const placements = [wants('old', needs(40), { arrivedAtMs: 1 }), wants('young', needs(90), { arrivedAtMs: 2 })];
    const decided = planOf('old', { gpus: [gpu(0), gpu(1)], endpoints, placements, claims: [claim('young', { 0: 90 }, [claimed])] });
    expect(decided).toMatchObject({ actions: [{ kind: 'write-claim', claim: { victims: ['1000c'] } }, { kind: 'begin-drain' }] });
  });

  test('does not drain what is about to serve an older placement', () => {
    const endpoints = [view(ready('old', { on: { 0: 80 } }), { waiters: 1 })];
    const placements = [wants('old', needs(80), { arrivedAtMs: 1 }), wants('young', needs(80), { arrivedAtMs: 2 })];
    expect(planOf('young', { endpoints, placements })).toHaveProperty('actions', [
      { kind: 'write-claim', claim: expect.objectContaining({ victims: ['1000old'], drainingSinceMs: null }) },
    ]);
  });
});

describe('an unknown footprint', () => {
  test('starts alone on an empty GPU, with all of it', () => {
    const decided = planOf('a', { gpus: [gpu(0, { foreignMiB: 7 })], placements: [wants('a', unknown())] });
    expect(decided).toMatchObject({ kind: 'apply', actions: [start('a', { 0: 93 }, true)] });
    expect(codes(decided)).toEqual(['footprint-unknown', 'fits']);
  });

  test('takes the emptiest GPU', () => {
    const gpus = [gpu(0, { foreignMiB: 30 }), gpu(1)];
    expect(planOf('a', { gpus, placements: [wants('a', unknown())] })).toMatchObject({ actions: [start('a', { 1: 100 }, true)] });
  });

  test('has every other endpoint there stopped, pinned ones excepted', () => {
    const endpoints = [
      view(ready('b', { on: { 0: 10 } })),
      view(ready('c', { on: { 0: 10 } })),
      view(ready('kept', { on: { 0: 30 } }), { pinned: true }),
    ];
    expect(planOf('a', { endpoints, placements: [wants('a', unknown())] })).toMatchObject({
      actions: [
        { kind: 'write-claim', claim: { discovery: true, allocations: memory({ 0: 70 }), victims: ['1000b', '1000c'] } },
        { kind: 'begin-drain', generation: '1000b' },
        { kind: 'begin-drain', generation: '1000c' },
      ],
    });
  });

  test('has one stopped that is charged nothing, since nothing was measured', () => {
    const endpoints = [view(ready('b', { on: { 0: 0 } }))];
    expect(planOf('a', { endpoints, placements: [wants('a', unknown())] })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { victims: ['1000b'] } }, { kind: 'begin-drain' }],
    });
  });

  test('waits when one endpoint there may not be stopped', () => {
    const endpoints = [
      view(ready('b', { on: { 0: 10 } })),
      view(ready('c', { on: { 0: 10 }, sparedUntilMs: NOW_MS + 1 }), { inFlight: 1 }),
    ];
    expect(planOf('a', { endpoints, placements: [wants('a', unknown())] })).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'no-victims-left' }, {}, { code: 'victim-spared' }],
    });
  });

  test('is discovered on another product only when its known one is of no use', () => {
    const gpus = [gpu(0), gpu(1, { product: 'Other' })];
    const full = view(ready('b', { on: { 0: 100 } }));
    const placements = [wants('a', needs(40))];
    expect(planOf('a', { gpus, endpoints: [full], placements })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { discovery: false } }, {}],
    });
    expect(planOf('a', { gpus, endpoints: [{ ...full, pinned: true }], placements })).toMatchObject({
      actions: [start('a', { 1: 100 }, true)],
    });
  });

  test('of a preload may stop other preloaded endpoints, and nothing else', () => {
    const preload = { right: 'place', preload: true } as const;
    const preloaded = view(ready('b', { on: { 0: 10 } }), { preloaded: true });
    const used = view(ready('c', { on: { 0: 10 } }));
    const placements = [wants('a', unknown(), preload)];
    expect(planOf('a', { endpoints: [preloaded], placements })).toMatchObject({
      actions: [{ kind: 'write-claim' }, { kind: 'begin-drain' }],
    });
    expect(codes(planOf('a', { endpoints: [preloaded, used], placements }))).toContain('victim-not-preloaded');
    expect(
      planOf('a', { endpoints: [view(ready('b', { on: { 0: 90 } }), { preloaded: true })], placements: [wants('a', needs(40), preload)] }),
    ).toMatchObject({
      kind: 'wait',
      reasons: [{ code: 'may-not-displace' }, { code: 'does-not-fit' }],
    });
  });
});

describe('without readings', () => {
  const blind = { readingsAvailable: false, gpus: [gpu(0, { foreignMiB: null }), gpu(1, { foreignMiB: null })] };

  test('a model starts when no other GPU model runs, charged nothing', () => {
    const cpu = view(ready('cpu', { on: {} }));
    const decided = planOf('a', { ...blind, endpoints: [cpu], placements: [wants('a', unknown({ gpuCount: 2 }))] });
    expect(decided).toMatchObject({ kind: 'apply', actions: [start('a', { 0: 0, 1: 0 })] });
    expect(codes(decided)).toEqual(['readings-unavailable', 'fits']);
  });

  test('a model starts although no GPU could ever be read', () => {
    expect(planOf('a', { ...blind, gpus: [], placements: [wants('a', unknown())] })).toMatchObject({ actions: [start('a', {})] });
  });

  test('one model at a time: every other GPU endpoint is a victim', () => {
    const endpoints = [view(ready('b', { on: { 1: 0 } }))];
    expect(planOf('a', { ...blind, endpoints, placements: [wants('a', needs(10))] })).toMatchObject({
      actions: [
        { kind: 'write-claim', claim: { victims: ['1000b'], allocations: memory({ 0: 0 }) } },
        { kind: 'begin-drain', generation: '1000b' },
      ],
    });
  });

  test('its claim goes on by the same steps', () => {
    const victim = draining('b', { on: { 1: 0 }, claimedBy: model('a') });
    const given = { ...blind, placements: [wants('a', needs(10))], claims: [claim('a', { 0: 0 }, [victim])] };
    expect(planOf('a', { ...given, endpoints: [view(victim, { drained: true })] })).toMatchObject({
      actions: [{ kind: 'stop', generation: '1000b' }],
    });
    expect(planOf('a', { ...given, endpoints: [] })).toMatchObject({ actions: [start('a', { 0: 0 })] });
  });

  test('a pinned model turns the others away, by name', () => {
    const decided = planOf('a', {
      ...blind,
      endpoints: [view(ready('kept', { on: { 1: 0 } }), { pinned: true })],
      placements: [wants('a', needs(10))],
    });
    expect(decided).toMatchObject({ kind: 'refuse', code: 'NO_CAPACITY_NOW', retryAfterMs: 30_000 });
    expect(decided).toHaveProperty('message', expect.stringContaining('kept'));
  });
});

test('asking for a model that nobody waits for is a mistake of the caller', () => {
  expect(() => planOf('a', {})).toThrow(RangeError);
});
