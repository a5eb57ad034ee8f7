import type { ModelName, PlacementRight, RegistryReader } from '@berth/core';

/** A wish outlives the moment at which its client was told to come back by this much. */
const GRACE_MS = 60_000;

interface Left {
  readonly arrivedAtMs: number;
  readonly endsAtMs: number;
}

/**
 * The wishes that clients of this edge left when they were told to come back. One per model and right: clients that keep coming back keep
 * the age of the first of them, so that they are served in turn, and nobody gets older by a wait of somebody who may cause less.
 */
export class WishList {
  readonly #registry: RegistryReader;
  readonly #replicaId: string;
  readonly #nowMs: () => number;
  readonly #left = new Map<PlacementRight, Map<ModelName, Left>>();

  constructor(registry: RegistryReader, replicaId: string, nowMs: () => number) {
    this.#registry = registry;
    this.#replicaId = replicaId;
    this.#nowMs = nowMs;
  }

  /** Throws `REDIS_UNAVAILABLE`. */
  async leave(
    { model, right, arrivedAtMs }: { readonly model: ModelName; readonly right: PlacementRight; readonly arrivedAtMs: number },
    retryAfterMs: number,
  ): Promise<void> {
    const nowMs = this.#nowMs();
    const left = this.#leftWith(right);
    const before = left.get(model);
    const live = before !== undefined && before.endsAtMs > nowMs ? before : null;
    const wish = {
      arrivedAtMs: Math.min(arrivedAtMs, live?.arrivedAtMs ?? arrivedAtMs),
      endsAtMs: Math.max(nowMs + retryAfterMs + GRACE_MS, live?.endsAtMs ?? 0),
    };
    left.set(model, wish);
    await this.#registry.putWish({
      id: `waiter-${this.#replicaId}-${right}-${model}`,
      model,
      right,
      kind: 'waiter',
      arrivedMsAgo: nowMs - wish.arrivedAtMs,
      endsInMs: wish.endsAtMs - nowMs,
    });
  }

  /** The model was ready once, which is what was wished for. */
  fulfilled(model: ModelName): void {
    for (const left of this.#left.values()) left.delete(model);
  }

  #leftWith(right: PlacementRight): Map<ModelName, Left> {
    const known = this.#left.get(right) ?? new Map<ModelName, Left>();
    this.#left.set(right, known);
    return known;
  }
}
