import type { ModelName, PlacementRight, RegistryState } from '@berth/core';

/** Who waits or wishes for one model, over all edge replicas. */
export interface Demand {
  readonly model: ModelName;
  /** Arrival of the oldest waiter or wish. */
  readonly arrivedAtMs: number;
  readonly right: PlacementRight;
  /** Requests with an open connection. */
  readonly waiters: number;
  /** Nobody but preload wishes asks. */
  readonly preloadOnly: boolean;
}

const STRENGTH: Readonly<Record<PlacementRight, number>> = { use: 0, place: 1, displace: 2 };

/** Demand by model. A model that nobody waits or wishes for is missing. Wishes that ended count no more. */
export function readDemand(state: Pick<RegistryState, 'nowMs' | 'edges' | 'wishes'>): ReadonlyMap<ModelName, Demand> {
  const demands = new Map<ModelName, Demand>();
  const add = (one: Demand) => {
    const other = demands.get(one.model);
    demands.set(one.model, other === undefined ? one : merge(one, other));
  };
  for (const edge of state.edges) {
    for (const report of edge.waiters) {
      if (report.count === 0) continue;
      add({ model: report.model, arrivedAtMs: report.oldestArrivedAtMs, right: report.right, waiters: report.count, preloadOnly: false });
    }
  }
  for (const wish of state.wishes) {
    if (wish.endsAtMs <= state.nowMs) continue;
    add({ model: wish.model, arrivedAtMs: wish.arrivedAtMs, right: wish.right, waiters: 0, preloadOnly: wish.kind === 'preload' });
  }
  return demands;
}

/** Ids of all wishes for a model. */
export function wishIdsOf({ wishes }: Pick<RegistryState, 'wishes'>, model: ModelName): readonly string[] {
  return wishes.filter((wish) => wish.model === model).map((wish) => wish.id);
}

function merge(one: Demand, other: Demand): Demand {
  return {
    model: one.model,
    arrivedAtMs: Math.min(one.arrivedAtMs, other.arrivedAtMs),
    right: STRENGTH[one.right] >= STRENGTH[other.right] ? one.right : other.right,
    waiters: one.waiters + other.waiters,
    preloadOnly: one.preloadOnly && other.preloadOnly,
  };
}
