import type { ModelName, PlacementRight } from '@berth/core';
import type { EdgeReport } from '../scripts/sync-edge.ts';

/** A request that waits for its model, with instants of the monotonic clock. */
export interface Waiter {
  readonly model: ModelName;
  readonly right: PlacementRight;
  readonly arrivedAt: number;
  readonly deadlineAt: number;
}

/** The waiters of this replica that Redis has admitted. */
export class Waiters {
  readonly #groups = new Map<string, Set<Waiter>>();

  add(waiter: Waiter): void {
    const key = groupKey(waiter);
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, new Set([waiter]));
    else group.add(waiter);
  }

  /** True when it was the last one of its model and right. */
  remove(waiter: Waiter): boolean {
    const key = groupKey(waiter);
    const group = this.#groups.get(key);
    if (group === undefined || !group.delete(waiter) || group.size > 0) return false;
    return this.#groups.delete(key);
  }

  get size(): number {
    let size = 0;
    for (const group of this.#groups.values()) size += group.size;
    return size;
  }

  /** How many wait for each model, whatever their right. */
  byModel(): ReadonlyMap<ModelName, number> {
    const counts = new Map<ModelName, number>();
    for (const group of this.#groups.values()) {
      const [first] = group;
      if (first !== undefined) counts.set(first.model, (counts.get(first.model) ?? 0) + group.size);
    }
    return counts;
  }

  /** One row per model and right: how many, how long the oldest has waited, how long the last one will. */
  report(now: number): EdgeReport['waiters'] {
    return [...this.#groups.values()].flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      let oldest = first.arrivedAt;
      let latest = first.deadlineAt;
      for (const { arrivedAt, deadlineAt } of group) {
        if (arrivedAt < oldest) oldest = arrivedAt;
        if (deadlineAt > latest) latest = deadlineAt;
      }
      return [[first.right, first.model, group.size, wholeMs(now - oldest), wholeMs(latest - now)] as const];
    });
  }
}

/** A duration as it is reported: whole ms, never negative. */
export function wholeMs(duration: number): number {
  return Math.max(0, Math.round(duration));
}

function groupKey(waiter: Waiter): string {
  return `${waiter.right}:${waiter.model}`;
}
