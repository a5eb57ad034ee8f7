import { describe, expect, it } from 'vitest';
import { asId } from '@berth/core';
import type { ModelName, PlacementStatus, ReasonCode, RegistryState } from '@berth/core';
import { claim, draining, ready, starting, stopping } from '../testing/builders.ts';
import { etaSeconds, isOnItsWay, progressOf } from './model-progress.ts';
import type { PlacementView } from './placement-watch.ts';

const BIG = asId<ModelName>('big');
const NOW_MS = 1_000_000;

function viewOf(registry: Partial<RegistryState>, status: Partial<PlacementStatus> | null = null): PlacementView {
  const full: PlacementStatus = {
    model: BIG,
    stage: 'waiting',
    reasons: [],
    updatedAtMs: NOW_MS,
    detail: null,
    progress: null,
    phaseProgress: null,
    etaMs: null,
    ...status,
  };
  return {
    registry: { nowMs: NOW_MS, endpoints: [], lastUsedAtMs: new Map(), edges: [], claims: [], wishes: [], quarantines: [], ...registry },
    statuses: new Map(status === null ? [] : [[BIG, full]]),
    leader: null,
    readAtMs: performance.now(),
  };
}

const asked = { wishes: [{ id: 'w', model: BIG, right: 'displace', kind: 'hint', arrivedAtMs: NOW_MS, endsAtMs: NOW_MS + 1000 } as const] };
const because = (code: ReasonCode) => ({ stage: 'waiting', reasons: [{ code }] }) as const;

describe('how far a model is', () => {
  it('is cold while nobody asks for it, whatever an old report says', () => {
    expect(progressOf(viewOf({}, { stage: 'starting', etaMs: 1000 }), BIG)).toMatchObject({ state: 'cold', phase: null, etaMs: null });
  });

  it('is queued as soon as somebody asks, and tells what it waits for', () => {
    expect(progressOf(viewOf(asked), BIG)).toMatchObject({ state: 'placing', phase: 'queued', waitingFor: null });
    expect(progressOf(viewOf({}), BIG, { waiting: true })).toMatchObject({ state: 'placing', phase: 'queued' });
    expect(progressOf(viewOf(asked, because('waiting-for-start-slot')), BIG)).toMatchObject({ phase: 'queued', waitingFor: 'start-slot' });
    expect(progressOf(viewOf(asked, because('waiting-for-older-placement')), BIG).waitingFor).toBe('older-placement');
  });

  it('names those that make room for it, and nobody else, while they drain and stop', () => {
    const victims = [
      draining('small-1', { on: { 0: 100 } }),
      stopping('small-2', { on: { 0: 100 } }),
      ready('small-3', { on: { 0: 100 } }),
    ];
    const claims = [claim('big', { 0: 300 }, victims)];
    const view = viewOf({ ...asked, claims, endpoints: [...victims, draining('other', { on: { 0: 100 } })] }, because('waiting-for-drain'));
    expect(progressOf(view, BIG)).toMatchObject({ state: 'placing', phase: 'draining', victims: ['small-1', 'small-2'], waitingFor: null });
  });

  it('is queued for their residency while none of its victims may be drained yet', () => {
    const victims = [ready('small-1', { on: { 0: 100 } })];
    const view = viewOf({ ...asked, claims: [claim('big', { 0: 300 }, victims)], endpoints: victims }, because('victim-not-settled'));
    expect(progressOf(view, BIG)).toMatchObject({ phase: 'queued', victims: [], waitingFor: 'residency' });
  });

  it('tells a pull with its own progress', () => {
    expect(progressOf(viewOf(asked, { stage: 'pulling', phaseProgress: 0.4 }), BIG)).toMatchObject({
      state: 'placing',
      phase: 'pulling',
      progress: null,
      phaseProgress: 0.4,
    });
  });

  it('tells the phase of a load in words for clients, and progress and time left as last reported', () => {
    const endpoints = [starting('big', { on: { 0: 300 }, phase: 'kv-cache' })];
    const view = viewOf({ endpoints }, { stage: 'starting', progress: 0.5, etaMs: 8_000, updatedAtMs: NOW_MS - 1_500 });
    const progress = progressOf(view, BIG);
    expect(progress).toMatchObject({ state: 'starting', phase: 'compiling', progress: 0.5 });
    expect(progress.etaMs).toBeGreaterThan(6_000);
    expect(progress.etaMs).toBeLessThanOrEqual(6_500);
    expect(progressOf(viewOf({ endpoints: [starting('big', { phase: 'a-phase-of-tomorrow' })] }), BIG).phase).toBe('starting');
  });

  it('is queued for another start while its own endpoint makes room for others', () => {
    const endpoints = [draining('big', { on: { 0: 300 } })];
    expect(progressOf(viewOf({ ...asked, endpoints }), BIG)).toMatchObject({ state: 'draining', phase: 'queued' });
    expect(progressOf(viewOf({ endpoints }), BIG)).toMatchObject({ state: 'draining', phase: null });
  });

  it('has no phase once it is ready', () => {
    const view = viewOf({ ...asked, endpoints: [ready('big', { on: { 0: 300 } })] }, { stage: 'starting', etaMs: 500 });
    expect(progressOf(view, BIG)).toMatchObject({ state: 'ready', phase: null, progress: null, etaMs: null });
  });

  it('forgets a report that nobody renewed', () => {
    const view = viewOf(asked, { ...because('waiting-for-start-slot'), updatedAtMs: NOW_MS - 20_000 });
    expect(progressOf(view, BIG)).toMatchObject({ phase: 'queued', waitingFor: null, status: null });
  });
});

it('is at least a second away while it is not ready', () => {
  expect([null, 0, 1, 1_001].map((etaMs) => etaSeconds({ etaMs }))).toEqual([null, 1, 1, 2]);
});

function told(registry: Partial<RegistryState>, status: Partial<PlacementStatus> | null): boolean {
  return isOnItsWay(progressOf(viewOf(registry, status), BIG));
}

it('is on its way unless others are known to hold what it needs, or to go first', () => {
  expect(told(asked, null)).toBe(true);
  expect(told(asked, { stage: 'pulling' })).toBe(true);
  expect(told({ endpoints: [starting('big')] }, { stage: 'starting' })).toBe(true);
  expect(told(asked, because('waiting-for-memory'))).toBe(false);
  expect(told(asked, because('no-victims-left'))).toBe(false);
});
