import type { Generation } from '../ids.ts';
import { type Candidate, gpuUuidsOf } from './candidate.ts';
import { inTheWayOfDiscovery } from './discovery.ts';
import { filterVictims } from './filter-victims.ts';
import { byIndex, shortages } from './fit.ts';
import { rankVictims } from './rank-victims.ts';
import { isLeaving, isSettledFor } from './residency.ts';
import { freedMiB, selectVictims, suffices } from './select-victims.ts';
import type { EndpointSnapshot, OpenPlacement, Snapshot } from './snapshot.ts';

/** A candidate with the endpoints whose end makes room on it. */
export interface Eviction {
  readonly candidate: Candidate;
  readonly victims: readonly EndpointSnapshot[];
}

/** The least painful eviction over all candidates; `null` when none makes enough room. */
export function chooseEviction(candidates: readonly Candidate[], placement: OpenPlacement, snapshot: Snapshot): Eviction | null {
  const evictions = candidates.flatMap((candidate) => {
    const victims = victimsOn(candidate, placement, snapshot);
    return victims === null ? [] : [{ candidate, victims }];
  });
  return evictions.toSorted(byPain(placement, snapshot))[0] ?? null;
}

/** Filter, rank, select. A discovery takes everybody on its GPUs that is not pinned, or nobody. */
function victimsOn(candidate: Candidate, placement: OpenPlacement, snapshot: Snapshot): readonly EndpointSnapshot[] | null {
  const missingMiB = shortages(candidate, placement.model, snapshot);
  const { possible } = filterVictims(candidate, placement, snapshot);
  const ranked = rankVictims(possible, snapshot);
  if (!candidate.discovery) return selectVictims(ranked, missingMiB);
  const inTheWay = inTheWayOfDiscovery(gpuUuidsOf(candidate), snapshot).map((view) => view.endpoint.generation);
  const everybody = ranked.filter((view) => inTheWay.includes(view.endpoint.generation));
  return everybody.length === inTheWay.length && suffices(everybody, missingMiB) ? everybody : null;
}

/**
 * Among sets of GPUs, better first:
 * 1. fewest victims that still start or are within residency
 * 2. fewest busy ones
 * 3. the victim used last was used longest ago
 * 4. least memory freed
 * 5. lowest GPU indexes
 */
function byPain(placement: OpenPlacement, snapshot: Snapshot): (a: Eviction, b: Eviction) => number {
  const unsettled = count((view) => !isSettledFor(placement, view, snapshot));
  const busy = count((view) => view.inFlight > 0 && !isLeaving(view.endpoint));
  return (a, b) =>
    unsettled(a) - unsettled(b) ||
    busy(a) - busy(b) ||
    compare(lastUsedAtMs(a), lastUsedAtMs(b)) ||
    totalFreedMiB(a) - totalFreedMiB(b) ||
    byIndex(a.candidate, b.candidate);
}

function count(counts: (view: EndpointSnapshot) => boolean): (eviction: Eviction) => number {
  return ({ victims }) => victims.filter(counts).length;
}

/** Of the victims that would have stayed; −∞ when all of them are leaving anyway. */
function lastUsedAtMs({ victims }: Eviction): number {
  return Math.max(...victims.filter((view) => !isLeaving(view.endpoint)).map((view) => view.lastUsedAtMs));
}

function totalFreedMiB({ candidate, victims }: Eviction): number {
  return gpuUuidsOf(candidate).reduce((total, uuid) => total + freedMiB(victims, uuid), 0);
}

/** Like a difference, but for infinities too. */
function compare(a: number, b: number): number {
  return a < b ? -1 : Number(a > b);
}

export function generationsOf(views: readonly EndpointSnapshot[]): readonly Generation[] {
  return views.map((view) => view.endpoint.generation);
}
