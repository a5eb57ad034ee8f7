import type { Claim, OpenPlacement, Snapshot } from './snapshot.ts';

/** Older placements first: by the arrival of the oldest waiter or wish, then by model name. */
export function byAge(a: OpenPlacement, b: OpenPlacement): number {
  return a.arrivedAtMs - b.arrivedAtMs || compareText(a.model, b.model);
}

/**
 * Claims of other placements that are younger than this one, the youngest first. A claim is as old as the strongest right that waits for its model: it is
 * for that one that it was written. A claim that nobody waits for is younger than all.
 */
export function youngerClaims(snapshot: Snapshot, placement: OpenPlacement): readonly Claim[] {
  // Of several placements of a model the strongest right is the youngest, and comes last.
  const claimants = new Map(snapshot.placements.toSorted(byAge).map((open) => [open.model, open]));
  const byClaimant = (a: Claim, b: Claim): number => compareOptional(claimants.get(b.model), claimants.get(a.model));
  return snapshot.claims
    .filter((claim) => claim.model !== placement.model && compareOptional(placement, claimants.get(claim.model)) < 0)
    .toSorted(byClaimant);
}

/** `byAge`, with those that are not there as the youngest. */
function compareOptional(a: OpenPlacement | undefined, b: OpenPlacement | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return byAge(a, b);
}

/** Whether somebody with a stronger right waits for the model as well: what this placement cannot do is left to that one. */
export function hasStronger(snapshot: Snapshot, placement: OpenPlacement): boolean {
  return snapshot.placements.some((other) => other.model === placement.model && byAge(placement, other) < 0);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
