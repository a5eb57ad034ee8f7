import type { ModelName } from '../ids.ts';
import type { Claim, OpenPlacement, Snapshot } from './snapshot.ts';

/** Older placements first: by the arrival of the oldest waiter or wish, then by model name. */
export function byAge(a: OpenPlacement, b: OpenPlacement): number {
  return a.arrivedAtMs - b.arrivedAtMs || compareText(a.model, b.model);
}

/** Claims of placements younger than this one, the youngest first. A claim that nobody waits for is younger than all. */
export function youngerClaims(snapshot: Snapshot, placement: OpenPlacement): readonly Claim[] {
  const ageRank = ageRanks(snapshot);
  const own = ageRank(placement.model);
  return snapshot.claims.filter((claim) => ageRank(claim.model) > own).toSorted((a, b) => ageRank(b.model) - ageRank(a.model));
}

function ageRanks(snapshot: Snapshot): (model: ModelName) => number {
  const ranks = new Map(snapshot.placements.toSorted(byAge).map((placement, rank) => [placement.model, rank]));
  return (model) => ranks.get(model) ?? Number.POSITIVE_INFINITY;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
