import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOperationalError } from '../errors.ts';
import { asId, type EngineHandle } from '../ids.ts';
import { draining, memory, model, ready, starting, stopping } from '../testing/builders.ts';
import type { Endpoint, GoneEndpoint, RetireReason } from './endpoint.ts';
import { RETIRE_REASONS } from './endpoint.ts';
import type { EndpointEvent, EndpointEventKind } from './endpoint-event.ts';
import { needsLeaseCheck } from './lease-check.ts';
import { stateChange, transition } from './transition.ts';

const handle = asId<EngineHandle>('container-1000a');
const readyProved: EndpointEvent<'ready-proved'> = {
  kind: 'ready-proved',
  urls: { name: 'http://a:8000', address: null, loopback: null },
  atMs: 60,
  loadMs: 50,
  processIds: [7],
  measured: memory({ 0: 30 }),
  allocations: memory({ 0: 40 }),
  maxModelLen: 4096,
};
const stop = (reason: RetireReason): EndpointEvent<'stop-begun'> => ({ kind: 'stop-begun', reason, atMs: 70, kill: false, failure: null });
const events: readonly EndpointEvent[] = [
  { kind: 'engine-created', handle },
  { kind: 'engine-started', atMs: 10 },
  { kind: 'phase-seen', phase: 'compile' },
  readyProved,
  { kind: 'drain-begun', reason: 'evicted', claimedBy: model('b'), atMs: 65 },
  { kind: 'drain-called-off', sparedUntilMs: 99 },
  { kind: 'remeasured', measured: memory({ 0: 31 }), allocations: memory({ 0: 41 }) },
  ...Object.values(RETIRE_REASONS).map(stop),
  { kind: 'exit-seen', atMs: 80 },
  { kind: 'memory-released' },
];
const endpoints: readonly Endpoint[] = [
  starting('a', { on: { 0: 100 } }),
  ready('a', { on: { 0: 40 } }),
  draining('a', { on: { 0: 40 } }),
  stopping('a', { on: { 0: 40 }, exitedAtMs: 75 }),
];

/** The whole table: `state event(:reason) → state`. Whatever is not here is refused. */
const TABLE: readonly string[] = [
  'starting engine-created → starting',
  'starting engine-started → starting',
  'starting phase-seen → starting',
  'starting ready-proved → ready',
  'starting stop-begun:operator → stopping',
  'starting stop-begun:loadFailed → stopping',
  'starting stop-begun:loadTimedOut → stopping',
  'starting stop-begun:cancelled → stopping',
  'starting stop-begun:exited → stopping',
  'ready drain-begun → draining',
  'ready remeasured → ready',
  'ready stop-begun:operator → stopping',
  'ready stop-begun:exited → stopping',
  'draining drain-begun → draining',
  'draining drain-called-off → ready',
  'draining remeasured → draining',
  'draining stop-begun:evicted → stopping',
  'draining stop-begun:idle → stopping',
  'draining stop-begun:operator → stopping',
  'draining stop-begun:superseded → stopping',
  'draining stop-begun:overBudget → stopping',
  'draining stop-begun:exited → stopping',
  'stopping exit-seen → stopping',
  'stopping memory-released → gone',
];

function outcome(endpoint: Endpoint, event: EndpointEvent): string | null {
  try {
    return transition(endpoint, event).state;
  } catch (error) {
    if (isOperationalError(error, 'STALE_STATE')) return null;
    throw error;
  }
}

describe('the lifecycle of an endpoint', () => {
  test('is its table, and nothing else', () => {
    const accepted = endpoints.flatMap((endpoint) =>
      events.flatMap((event) => {
        const to = outcome(endpoint, event);
        const reason = event.kind === 'stop-begun' ? `:${event.reason}` : '';
        return to === null ? [] : [`${endpoint.state} ${event.kind}${reason} → ${to}`];
      }),
    );
    expect(accepted).toEqual(TABLE);
  });

  test('replaces the reservation by what was measured, and forgets the load', () => {
    const proved = transition(starting('a', { on: { 0: 100 } }), readyProved);
    expect(proved).toMatchObject({
      state: 'ready',
      allocations: memory({ 0: 40 }),
      measured: memory({ 0: 30 }),
      readyAtMs: 60,
      sparedUntilMs: null,
    });
    expect(Object.keys(proved)).not.toContain('deadlineAtMs');
    expect(Object.keys(proved)).not.toContain('usedBefore');
  });

  test('has no proof of readiness before the engine was started', () => {
    expect(outcome(starting('a', { startedAtMs: null }), readyProved)).toBeNull();
  });

  test('starts no engine that was not created, and knows one handle only', () => {
    expect(outcome(starting('a', { handle: null }), { kind: 'engine-started', atMs: 1 })).toBeNull();
    expect(outcome(starting('a'), { kind: 'engine-created', handle: asId<EngineHandle>('another') })).toBeNull();
  });

  test('keeps the first instant when a step is repeated', () => {
    expect(transition(starting('a', { startedAtMs: 5 }), { kind: 'engine-started', atMs: 10 }).startedAtMs).toBe(5);
    expect(transition(stopping('a', { exitedAtMs: 5 }), { kind: 'exit-seen', atMs: 10 }).exitedAtMs).toBe(5);
  });

  test('keeps a spared endpoint spared, and a called-off drain leaves no trace of the drain', () => {
    const back = transition(draining('a'), { kind: 'drain-called-off', sparedUntilMs: 99 });
    expect(back.sparedUntilMs).toBe(99);
    expect(Object.keys(back)).not.toContain('drainingSinceMs');
  });

  test('lets a drain change hands, but never away from an operator', () => {
    const taken = transition(draining('a', { reason: 'idle', drainingSinceMs: 3 }), {
      kind: 'drain-begun',
      reason: 'operator',
      claimedBy: null,
      atMs: 9,
    });
    expect(taken).toMatchObject({ reason: 'operator', drainingSinceMs: 3 });
    expect(outcome(taken, { kind: 'drain-begun', reason: 'evicted', claimedBy: model('b'), atMs: 10 })).toBeNull();
  });

  test('releases memory only after the exit was seen, unless nothing was ever created', () => {
    expect(outcome(stopping('a'), { kind: 'memory-released' })).toBeNull();
    expect(outcome(stopping('a', { handle: null }), { kind: 'memory-released' })).toBe('gone');
  });

  test('keeps the processes of a stopped endpoint: its memory may outlive it', () => {
    expect(transition(ready('a', { processIds: [7, 8] }), stop('exited'))).toMatchObject({ processIds: [7, 8], exitedAtMs: null });
  });

  test('tells each change of state, and nothing where there is none', () => {
    const before = ready('a');
    const event: EndpointEvent = { kind: 'drain-begun', reason: 'idle', claimedBy: null, atMs: 1 };
    expect(stateChange(before, event, transition(before, event))).toEqual({
      generation: before.generation,
      model: 'a',
      event: 'drain-begun',
      from: 'ready',
      to: 'draining',
      reason: 'idle',
    });
    const remeasured: EndpointEvent = { kind: 'remeasured', measured: [], allocations: [] };
    expect(stateChange(before, remeasured, transition(before, remeasured))).toBeNull();
  });

  test('says what to do in the refusal', () => {
    expect(() => transition(ready('a'), { kind: 'memory-released' })).toThrow(/is ready, where memory-released cannot happen.*plan anew/);
  });
});

/** A registry reduced to what matters here: it grants leases, and writes what `transition` and the lease check allow. */
function enteredStoppingLeased(steps: readonly { readonly event: EndpointEvent; readonly lease: number }[]): readonly EndpointEvent[] {
  let endpoint: Endpoint = starting('a', { on: { 0: 40 }, startedAtMs: 1 });
  let leases = 0;
  const entered: EndpointEvent[] = [];
  for (const { event, lease } of steps) {
    if (lease > 0 && endpoint.state === 'ready') leases += 1;
    if (lease < 0) leases = Math.max(0, leases - 1);
    if (event.kind === 'stop-begun' && needsLeaseCheck(endpoint, event) && leases > 0) continue;
    if (outcome(endpoint, event) === null) continue;
    const next: Endpoint | GoneEndpoint = transition(endpoint, event);
    if (next.state === 'gone') return entered;
    if (next.state === 'stopping' && endpoint.state !== 'stopping' && leases > 0) entered.push(event);
    endpoint = next;
  }
  return entered;
}

test('nothing enters stopping while a lease on it lives, but for an exit or an operator’s force', () => {
  const frequent: readonly EndpointEventKind[] = ['ready-proved', 'drain-begun', 'drain-called-off', 'stop-begun'];
  const event = fc.constantFrom(...events, ...events.filter((each) => frequent.includes(each.kind)));
  const forced = fc.constant<EndpointEvent>({ ...stop('operator'), forced: true });
  const step = fc.record({
    event: fc.oneof({ weight: 20, arbitrary: event }, { weight: 1, arbitrary: forced }),
    lease: fc.constantFrom(-1, 0, 1),
  });
  let seen = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      for (const entered of enteredStoppingLeased(steps)) {
        seen += 1;
        expect(entered).toMatchObject({ kind: 'stop-begun', reason: expect.stringMatching(/^(exited|operator)$/) });
      }
    }),
  );
  // The exceptions do occur, or the property would say nothing.
  expect(seen).toBeGreaterThan(0);
});
