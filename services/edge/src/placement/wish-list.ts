import type { ModelName, RegistryReader } from '@berth/core';

/** A wish outlives the moment at which its client was told to come back by this much. */
const GRACE_MS = 60_000;

interface Left {
  readonly arrivedAtMs: number;
  readonly endsAtMs: number;
}

/**
 * The wishes that clients of this edge left when they were told to come back. One per model: clients that keep coming back keep the
 * age of the first of them, so that they are served in turn.
 */
export class WishList {
  readonly #registry: RegistryReader;
  readonly #replicaId: string;
  readonly #nowMs: () => number;
  readonly #left = new Map<ModelName, Left>();

  constructor(registry: RegistryReader, replicaId: string, nowMs: () => number) {
    this.#registry = registry;
    this.#replicaId = replicaId;
    this.#nowMs = nowMs;
  }

  /** Throws `REDIS_UNAVAILABLE`. */
  async leave(model: ModelName, arrivedAtMs: number, retryAfterMs: number): Promise<void> {
    const nowMs = this.#nowMs();
    const before = this.#left.get(model);
    const live = before !== undefined && before.endsAtMs > nowMs ? before : null;
    const wish = {
      arrivedAtMs: Math.min(arrivedAtMs, live?.arrivedAtMs ?? arrivedAtMs),
      endsAtMs: Math.max(nowMs + retryAfterMs + GRACE_MS, live?.endsAtMs ?? 0),
    };
    this.#left.set(model, wish);
    await this.#registry.putWish({
      id: `waiter-${this.#replicaId}-${model}`,
      model,
      right: 'displace',
      kind: 'waiter',
      arrivedMsAgo: nowMs - wish.arrivedAtMs,
      endsInMs: wish.endsAtMs - nowMs,
    });
  }

  /** The model was ready once, which is what was wished for. */
  fulfilled(model: ModelName): void {
    this.#left.delete(model);
  }
}
