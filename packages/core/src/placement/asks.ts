import type { PlacementRight } from './snapshot.ts';

/** By right, when the oldest came who waits or wishes with it. */
export type Arrivals = ReadonlyMap<PlacementRight, number>;

/** Something that may be caused for a model, and since when it is asked for. */
export interface Ask {
  readonly right: PlacementRight;
  readonly arrivedAtMs: number;
}

const STRONGEST_FIRST: readonly PlacementRight[] = ['displace', 'place', 'use'];

/**
 * What may be caused for a model, the strongest right first. Each right includes those before it, so a weaker one counts only where somebody with it came
 * before everybody with a stronger one. Nobody's age is lent to a right that he does not have: an eviction is as old as the oldest who may cause it.
 */
export function asksOf(arrivals: Arrivals): readonly Ask[] {
  let oldestMs = Number.POSITIVE_INFINITY;
  return STRONGEST_FIRST.flatMap((right) => {
    const arrivedAtMs = arrivals.get(right) ?? Number.POSITIVE_INFINITY;
    if (arrivedAtMs >= oldestMs) return [];
    oldestMs = arrivedAtMs;
    return [{ right, arrivedAtMs }];
  });
}
