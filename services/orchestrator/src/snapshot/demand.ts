import { asksOf } from '@berth/core';
import type { Ask, ModelName, PlacementRight, RegistryState } from '@berth/core';

/** Who waits or wishes for one model, over all edge replicas. */
export interface Demand {
  readonly model: ModelName;
  /** What may be caused for it, and since when: the strongest right first. */
  readonly asks: readonly Ask[];
  /** Requests with an open connection. */
  readonly waiters: number;
  /** Nobody but preload wishes asks. */
  readonly preloadOnly: boolean;
}

interface Sum {
  readonly arrivals: Map<PlacementRight, number>;
  waiters: number;
  preloadOnly: boolean;
}

/** Demand by model. A model that nobody waits or wishes for is missing. Wishes that ended count no more. */
export function readDemand(state: Pick<RegistryState, 'nowMs' | 'edges' | 'wishes'>): ReadonlyMap<ModelName, Demand> {
  const sums = new Map<ModelName, Sum>();
  const add = (model: ModelName, right: PlacementRight, arrivedAtMs: number): Sum => {
    const sum = sums.get(model) ?? { arrivals: new Map(), waiters: 0, preloadOnly: true };
    sum.arrivals.set(right, Math.min(arrivedAtMs, sum.arrivals.get(right) ?? Number.POSITIVE_INFINITY));
    sums.set(model, sum);
    return sum;
  };
  for (const report of state.edges.flatMap(({ waiters }) => waiters)) {
    if (report.count === 0) continue;
    const sum = add(report.model, report.right, report.oldestArrivedAtMs);
    sum.waiters += report.count;
    sum.preloadOnly = false;
  }
  for (const wish of state.wishes) {
    if (wish.endsAtMs <= state.nowMs) continue;
    const sum = add(wish.model, wish.right, wish.arrivedAtMs);
    sum.preloadOnly &&= wish.kind === 'preload';
  }
  return new Map(
    [...sums].map(([model, { arrivals, waiters, preloadOnly }]) => [model, { model, asks: asksOf(arrivals), waiters, preloadOnly }]),
  );
}

/** Ids of all wishes for a model. */
export function wishIdsOf({ wishes }: Pick<RegistryState, 'wishes'>, model: ModelName): readonly string[] {
  return wishes.filter((wish) => wish.model === model).map((wish) => wish.id);
}
