import type { LoadTimes } from '@berth/core';
import { LOAD_PHASES } from '@berth/vllm';

/** Phases in the order of a load; the proof is the last. */
const ORDER: readonly string[] = [...LOAD_PHASES, 'probing'];
/** A phase that takes so much longer than it ever did says that this load is another kind of load. */
const OUTRUN_FACTOR = 1.5;
/** Loads that take moments differ by more than a factor. */
const OUTRUN_MS = 5_000;
/** A load is whole when it is ready, and not before. */
const MOST_PROGRESS = 0.99;

export interface LoadSoFar {
  readonly phase: string;
  /** In its present phase; `null` where it is not known when that began. */
  readonly inPhaseMs: number | null;
  /** Since the engine was started; 0 before. */
  readonly passedMs: number;
}

export interface LoadEstimate {
  /** Never below what the later phases take. `null` where nothing was learned, and once the load has clearly outrun what was. */
  readonly leftMs: number | null;
  /** 0..1, never 1, and never less than in an earlier phase. */
  readonly progress: number | null;
}

/**
 * How far a load is, by what earlier loads of the same launch took: the median of each phase to come, and what is left of the present one.
 * With loads of which only the whole time is known, the median of that less what has passed.
 */
export function estimateLoad(loads: readonly LoadTimes[], soFar: LoadSoFar): LoadEstimate {
  const phased = loads.filter(({ byPhaseMs }) => Object.keys(byPhaseMs).length > 0);
  const at = ORDER.indexOf(soFar.phase);
  if (phased.length === 0 || at === -1) return byTotal(loads, soFar.passedMs);
  const medians = ORDER.map((phase) => medianOf(timesIn(phased, phase)) ?? 0);
  const earlierMs = sum(medians.slice(0, at));
  const presentMs = medians[at] ?? 0;
  const laterMs = sum(medians.slice(at + 1));
  const inPhaseMs = soFar.inPhaseMs ?? Math.max(0, soFar.passedMs - earlierMs);
  const allMs = earlierMs + presentMs + laterMs;
  const outrun = isOutrun(inPhaseMs, Math.max(...timesIn(phased, soFar.phase)));
  return {
    leftMs: outrun ? null : laterMs + Math.max(0, presentMs - inPhaseMs),
    progress: shareOf(earlierMs + Math.min(inPhaseMs, presentMs), allMs),
  };
}

function byTotal(loads: readonly LoadTimes[], passedMs: number): LoadEstimate {
  const totals = loads.map(({ totalMs }) => totalMs);
  const median = medianOf(totals);
  if (median === null) return { leftMs: null, progress: null };
  return {
    leftMs: isOutrun(passedMs, Math.max(...totals)) ? null : Math.max(0, median - passedMs),
    progress: shareOf(Math.min(passedMs, median), median),
  };
}

function isOutrun(passedMs: number, longestMs: number): boolean {
  return passedMs > longestMs * OUTRUN_FACTOR + OUTRUN_MS;
}

function shareOf(doneMs: number, allMs: number): number | null {
  return allMs <= 0 ? null : Math.min(MOST_PROGRESS, doneMs / allMs);
}

function timesIn(loads: readonly LoadTimes[], phase: string): readonly number[] {
  return loads.map(({ byPhaseMs }) => byPhaseMs[phase] ?? 0);
}

/** Of an even number the lower one: a first load that had to download or compile is no measure of the next. */
function medianOf(values: readonly number[]): number | null {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
