import type { ModelName, PlacementClient, PlacementOutcome } from '@berth/core';

interface Shared {
  readonly outcome: Promise<PlacementOutcome>;
  readonly nobodyWaits: AbortController;
  waiters: number;
}

/** One placement per model in this process, however many requests wait for it. */
export class SharedPlacements {
  readonly #placements: PlacementClient;
  readonly #shared = new Map<ModelName, Shared>();

  constructor(placements: PlacementClient) {
    this.#placements = placements;
  }

  /** As `PlacementClient.place`; joins the one under way. */
  async place(model: ModelName, signal: AbortSignal): Promise<PlacementOutcome> {
    signal.throwIfAborted();
    const shared = this.#shared.get(model) ?? this.#begin(model);
    shared.waiters += 1;
    try {
      return await unlessAborted(shared.outcome, signal);
    } finally {
      shared.waiters -= 1;
      if (shared.waiters === 0) {
        this.#forget(model, shared);
        shared.nobodyWaits.abort();
      }
    }
  }

  #begin(model: ModelName): Shared {
    const nobodyWaits = new AbortController();
    const shared: Shared = { outcome: this.#placements.place(model, { signal: nobodyWaits.signal }), nobodyWaits, waiters: 0 };
    this.#shared.set(model, shared);
    // Whoever comes after the end begins anew; the failure itself reaches the waiters.
    void shared.outcome.catch(() => undefined).finally(() => this.#forget(model, shared));
    return shared;
  }

  #forget(model: ModelName, shared: Shared): void {
    if (this.#shared.get(model) === shared) this.#shared.delete(model);
  }
}

/** The promise's outcome, or the signal's reason as soon as it aborts. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}
