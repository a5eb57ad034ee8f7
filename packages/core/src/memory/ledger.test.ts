import { describe, expect, test } from 'vitest';
import { claim, draining, gpu, gpuUuid, model, ready, snapshot, starting, stopping, view } from '../testing/builders.ts';
import { availableFor, buildLedger, type GpuLedger } from './ledger.ts';
import type { Snapshot } from '../placement/snapshot.ts';

function ledgerOf(given: Partial<Snapshot>, index = 0): GpuLedger {
  const ledger = buildLedger(snapshot(given)).get(gpuUuid(index));
  if (ledger === undefined) throw new RangeError('no such GPU');
  return ledger;
}

describe('the ledger of a GPU', () => {
  test('charges every endpoint until it is gone, by state', () => {
    const endpoints = [
      view(starting('a', { on: { 0: 10 } })),
      view(ready('b', { on: { 0: 20, 1: 1 } })),
      view(draining('c', { on: { 0: 5 } })),
      view(stopping('d', { on: { 0: 7 } })),
      view(ready('elsewhere', { on: { 1: 50 } })),
    ];
    expect(ledgerOf({ gpus: [gpu(0, { foreignMiB: 8 }), gpu(1)], endpoints })).toMatchObject({
      reservedMiB: 10,
      readyMiB: 20,
      drainingMiB: 5,
      stoppingMiB: 7,
      chargedMiB: 42,
      foreignMiB: 8,
      availableMiB: 50,
      overcommittedMiB: 0,
      endpoints: [{ model: 'a' }, { model: 'b', state: 'ready', vramMiB: 20 }, { model: 'c' }, { model: 'd' }],
    });
  });

  test('holds for a claim what it exceeds its own unreleased victims, and no more as they go', () => {
    const victim = draining('a', { on: { 0: 30 } });
    const neighbour = view(ready('b', { on: { 0: 20 } }));
    const claims = [claim('c', { 0: 50 }, [victim])];
    const before = ledgerOf({ endpoints: [view(victim), neighbour], claims });
    expect(before).toMatchObject({
      claims: [{ model: 'c', claimedMiB: 50, victimsMiB: 30, excessMiB: 20 }],
      claimExcessMiB: 20,
      availableMiB: 30,
    });
    const after = ledgerOf({ endpoints: [neighbour], claims });
    expect(after).toMatchObject({ claimExcessMiB: 50, availableMiB: 30 });
    expect(availableFor(after, model('c'))).toBe(80);
    expect(availableFor(after, model('other'))).toBe(30);
  });

  test('holds nothing for a claim that its victims exceed', () => {
    const victim = draining('a', { on: { 0: 90 } });
    expect(ledgerOf({ endpoints: [view(victim)], claims: [claim('c', { 0: 50 }, [victim])] })).toMatchObject({
      claimExcessMiB: 0,
      availableMiB: 10,
    });
  });

  test('has nothing available, and not 0, while foreign memory is unknown', () => {
    const ledger = ledgerOf({ gpus: [gpu(0, { foreignMiB: null })] });
    expect(ledger.availableMiB).toBeNull();
    expect(availableFor(ledger, model('a'))).toBeNull();
  });

  test('says by how much a GPU is over its budget', () => {
    const endpoints = [view(ready('a', { on: { 0: 80 } }))];
    expect(ledgerOf({ gpus: [gpu(0, { foreignMiB: 30 })], endpoints })).toMatchObject({ overcommittedMiB: 10, availableMiB: -10 });
    expect(ledgerOf({ gpus: [gpu(0, { foreignMiB: null, budgetMiB: 70 })], endpoints })).toMatchObject({
      overcommittedMiB: 10,
      availableMiB: null,
    });
  });
});
