import type { LoadTimes } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { estimateLoad, type LoadSoFar } from './estimate-load.ts';

const BY_PHASE = { importing: 10_000, weights: 60_000, compiling: 20_000, graphs: 8_000, probing: 2_000 };

function loadOf(byPhaseMs: Readonly<Record<string, number>>): LoadTimes {
  return { totalMs: Object.values(byPhaseMs).reduce((total, value) => total + value, 0), byPhaseMs, atMs: 0 };
}

function soFar(phase: string, inPhaseMs: number | null, passedMs = 0): LoadSoFar {
  return { phase, inPhaseMs, passedMs };
}

describe('the time left of a load', () => {
  it.each([
    ['all of it before the engine is started', soFar('created', 0), 100_000],
    ['what is left of the phase and all later ones', soFar('weights', 45_000), 45_000],
    ['never less than the later phases, however long this one takes', soFar('weights', 90_000), 30_000],
    ['right after a phase that took less than ever', soFar('compiling', 0, 12_000), 30_000],
    ['by what has passed in all, when nobody saw the phase begin', soFar('weights', null, 30_000), 70_000],
  ])('is %s', (_, now, expected) => {
    expect(estimateLoad([loadOf(BY_PHASE)], now).leftMs).toBe(expected);
  });

  it('takes the median of each phase, so that one load with a download is no measure', () => {
    const withDownload = loadOf({ ...BY_PHASE, downloading: 600_000 });
    expect(estimateLoad([withDownload, loadOf(BY_PHASE)], soFar('created', 0)).leftMs).toBe(100_000);
    const slower = loadOf({ ...BY_PHASE, weights: 80_000 });
    expect(estimateLoad([withDownload, slower, loadOf(BY_PHASE), slower], soFar('created', 0)).leftMs).toBe(100_000);
    expect(estimateLoad([withDownload, slower, slower], soFar('created', 0)).leftMs).toBe(120_000);
  });

  it('is unknown before the first load, and once this one has clearly outrun all earlier ones', () => {
    expect(estimateLoad([], soFar('weights', 1_000))).toEqual({ leftMs: null, progress: null });
    expect(estimateLoad([loadOf(BY_PHASE)], soFar('weights', 96_000)).leftMs).toBeNull();
    expect(estimateLoad([loadOf(BY_PHASE)], soFar('downloading', 6_000)).leftMs).toBeNull();
  });

  it('is known again in the next phase', () => {
    expect(estimateLoad([loadOf(BY_PHASE)], soFar('compiling', 0)).leftMs).toBe(30_000);
  });

  it('goes by the whole time where earlier loads were not watched from their beginning', () => {
    const loads = [30_000, 10_000, 20_000].map((totalMs) => ({ totalMs, byPhaseMs: {}, atMs: 0 }));
    expect(estimateLoad(loads, soFar('weights', 1_000, 5_000))).toEqual({ leftMs: 15_000, progress: 0.25 });
    expect(estimateLoad(loads, soFar('weights', 1_000, 40_000)).leftMs).toBe(0);
    expect(estimateLoad(loads, soFar('weights', 1_000, 51_000)).leftMs).toBeNull();
  });
});

describe('the progress of a load', () => {
  it('grows from phase to phase and is never whole', () => {
    const steps = [
      soFar('created', 0),
      soFar('importing', 5_000),
      soFar('weights', 0),
      soFar('weights', 400_000),
      soFar('compiling', 0),
      soFar('probing', 500_000),
    ];
    const progress = steps.map((step) => estimateLoad([loadOf(BY_PHASE)], step).progress);
    expect(progress).toEqual([0, 0.05, 0.1, 0.7, 0.7, 0.99]);
  });
});
