import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { claim, draining, gpu, memory, model, needs, ready, snapshot, stopping, unknown, view, wants } from '../testing/builders.ts';
import { hostsWithForeign, run, type Operation } from '../testing/random-hosts.ts';
import { SimulatedHost, type Step } from '../testing/simulated-host.ts';
import type { Plan } from './plan.ts';
import { plan } from './planner.ts';
import type { OpenPlacement, Snapshot } from './snapshot.ts';

const planOf = (name: string, given: Partial<Snapshot>): Plan => plan(snapshot(given), model(name));
const codes = (decided: Plan): readonly string[] => decided.reasons.map((reason) => reason.code);

/** `a` is asked for by somebody old who may place, and by somebody young who may displace. */
function both(requirement: OpenPlacement['requirement']): readonly OpenPlacement[] {
  return [wants('a', requirement, { arrivedAtMs: 1, right: 'place' }), wants('a', requirement, { arrivedAtMs: 3, right: 'displace' })];
}

describe('a model that an older one may place and a younger one may displace for', () => {
  test('starts in free memory at the age of the older', () => {
    const placements = [...both(needs(60)), wants('b', needs(60), { arrivedAtMs: 2 })];
    expect(planOf('a', { placements })).toMatchObject({ kind: 'apply', actions: [{ kind: 'start', model: 'a' }] });
    expect(planOf('b', { placements })).toMatchObject({ kind: 'wait' });
  });

  test('evicts at the age of the younger: after whoever came between', () => {
    const placements = [...both(needs(80)), wants('b', needs(80), { arrivedAtMs: 2 })];
    const endpoints = [view(ready('c', { on: { 0: 90 } }))];
    expect(planOf('b', { endpoints, placements })).toMatchObject({
      actions: [{ kind: 'write-claim', claim: { model: 'b' } }, { kind: 'begin-drain' }],
    });
    const decided = planOf('a', { endpoints, placements });
    expect(decided.kind).toBe('wait');
    expect(codes(decided)).toContain('victim-claimed');
  });

  test('does not take the claim of whoever came between', () => {
    const victim = draining('c', { on: { 0: 90 }, claimedBy: model('b') });
    const placements = [...both(needs(80)), wants('b', needs(80), { arrivedAtMs: 2 })];
    expect(planOf('a', { endpoints: [view(victim)], placements, claims: [claim('b', { 0: 80 }, [victim])] })).toMatchObject({
      kind: 'wait',
    });
  });

  test('goes on with the claim of the younger', () => {
    const victim = draining('c', { on: { 0: 90 }, claimedBy: model('a') });
    const claims = [claim('a', { 0: 80 }, [victim])];
    const placements = both(needs(80));
    expect(codes(planOf('a', { endpoints: [view(victim)], placements, claims }))).toEqual(['waiting-for-drain']);
    expect(planOf('a', { endpoints: [view(victim, { drained: true })], placements, claims })).toMatchObject({
      actions: [{ kind: 'stop' }],
    });
  });

  test('has the claim withdrawn when the younger has left', () => {
    const victim = draining('c', { on: { 0: 90 }, claimedBy: model('a') });
    const [older] = both(needs(80));
    const given = { endpoints: [view(victim, { drained: true })], placements: older === undefined ? [] : [older] };
    expect(planOf('a', { ...given, claims: [claim('a', { 0: 80 }, [victim])] })).toMatchObject({
      actions: [{ kind: 'withdraw-claim', model: 'a' }],
    });
  });

  test('is discovered at the age of the younger where somebody has to go', () => {
    const placements = [...both(unknown()), wants('b', unknown(), { arrivedAtMs: 2 })];
    const endpoints = [view(ready('c', { on: { 0: 10 } }))];
    expect(planOf('a', { endpoints, placements })).toMatchObject({ kind: 'wait' });
    expect(planOf('b', { endpoints, placements })).toMatchObject({ actions: [{ kind: 'write-claim' }, { kind: 'begin-drain' }] });
  });
});

describe('whoever may not displace', () => {
  const old = wants('a', needs(60), { arrivedAtMs: 1, right: 'place' });
  const young = wants('b', needs(80), { arrivedAtMs: 2 });

  test.each([
    ['is being', [stopping('c', { on: { 0: 90 } })]],
    ['was', []],
  ])('does not take what %s evicted for somebody younger', (_, endpoints) => {
    const claims = [claim('b', { 0: 80 }, [ready('c')])];
    const decided = planOf('a', { endpoints: endpoints.map((endpoint) => view(endpoint)), placements: [old, young], claims });
    expect(decided).toMatchObject({ kind: 'wait' });
    expect(codes(decided)).toContain('may-not-displace');
  });

  test('takes free memory that somebody younger claimed while nobody was evicted for it', () => {
    const victim = draining('c', { on: { 0: 40 }, claimedBy: model('b') });
    expect(planOf('a', { endpoints: [view(victim)], placements: [old, young], claims: [claim('b', { 0: 80 }, [victim])] })).toMatchObject({
      actions: [
        { kind: 'withdraw-claim', model: 'b' },
        { kind: 'start', model: 'a', allocations: memory({ 0: 60 }) },
      ],
    });
  });

  test('waits for memory without readings, too', () => {
    const endpoints = [view(ready('c'), { usesGpu: true })];
    expect(planOf('a', { readingsAvailable: false, gpus: [gpu(0)], endpoints, placements: [old] })).toMatchObject({ kind: 'wait' });
  });
});

/** Evictions that a step causes: claims with victims, drains, stops. */
function evictions({ plan: decided }: Step): readonly string[] {
  if (decided.kind !== 'apply') return [];
  return decided.actions.flatMap((action) =>
    action.kind === 'begin-drain' || action.kind === 'stop' || (action.kind === 'write-claim' && action.claim.victims.length > 0)
      ? [action.kind]
      : [],
  );
}

function askedWith(right: OpenPlacement['right'], { before, model: name }: Step): number {
  return before.placements.find((open) => open.model === name && open.right === right)?.arrivedAtMs ?? Number.POSITIVE_INFINITY;
}

function everyStep(check: (step: Step) => void, change: (operation: Operation) => Operation = (operation) => operation): void {
  fc.assert(
    fc.property(hostsWithForeign, ({ models, budgets, operations }) => {
      for (const step of run(new SimulatedHost(models, budgets), operations.map(change)).steps) check(step);
    }),
    { numRuns: 100 },
  );
}

describe('every step of every placement', { timeout: 60_000 }, () => {
  test('evicts only while somebody waits for its model who may displace', () => {
    everyStep((step) => {
      if (evictions(step).length > 0) expect(askedWith('displace', step)).toBeLessThanOrEqual(step.before.nowMs);
    });
  });

  test('evicts nobody, ever, where nobody may displace', () => {
    everyStep(
      (step) => expect(evictions(step)).toEqual([]),
      (operation) => (operation.kind === 'arrive' && operation.right === 'displace' ? { ...operation, right: 'place' } : operation),
    );
  });

  test('takes a claim for an eviction only from a placement that came after the oldest who may evict', () => {
    everyStep((step) => {
      const { plan: decided, model: name } = step;
      if (decided.kind !== 'apply' || evictions(step).length === 0) return;
      const others = decided.actions.flatMap((action) => (action.kind === 'withdraw-claim' && action.model !== name ? [action.model] : []));
      for (const other of others)
        expect(askedWith('displace', { ...step, model: other })).toBeGreaterThanOrEqual(askedWith('displace', step));
    });
  });
});
