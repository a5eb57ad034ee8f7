import { isOperationalError } from '@berth/core';
import type { LeaderView, ModelName, PlacementStatus, Quarantine, RegistryReader, RegistryState } from '@berth/core';

/** How often the registry is read while somebody waits, and how old a reading may be for those who only look. */
const FRESH_MS = 1000;

/** What this edge last read of the registry. */
export interface PlacementView {
  readonly registry: RegistryState;
  readonly statuses: ReadonlyMap<ModelName, PlacementStatus>;
  readonly leader: LeaderView | null;
  /** By `performance.now()`. */
  readonly readAtMs: number;
}

/** Reads the registry for all who wait or look in this process: one read at a time, at most one a second. */
export class PlacementWatch implements Disposable {
  readonly #registry: RegistryReader;
  readonly #listeners = new Set<(view: PlacementView) => void>();
  #latest: PlacementView | null = null;
  #reading: Promise<PlacementView> | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(registry: RegistryReader) {
    this.#registry = registry;
  }

  /** The last reading however old; `null` before the first. */
  get latest(): PlacementView | null {
    return this.#latest;
  }

  /** A reading not older than `maxAgeMs`, a second by default. Throws `REDIS_UNAVAILABLE`. */
  async read({ maxAgeMs = FRESH_MS }: { readonly maxAgeMs?: number } = {}): Promise<PlacementView> {
    if (this.#latest !== null && this.#isFresh(this.#latest, maxAgeMs)) return this.#latest;
    this.#reading ??= this.#readNow().finally(() => (this.#reading = null));
    return this.#reading;
  }

  /** The same, and `null` while Redis does not answer: what can be told without the registry is told. */
  async readOrNull(options: { readonly maxAgeMs?: number } = {}): Promise<PlacementView | null> {
    try {
      return await this.read(options);
    } catch (error) {
      if (!isOperationalError(error)) throw error;
      return null;
    }
  }

  /**
   * Tells every new reading until the returned function is called, and at once the last one if it is as fresh as that. Failures to read are
   * skipped: whoever waits has a deadline.
   */
  follow(listener: (view: PlacementView) => void): () => void {
    this.#listeners.add(listener);
    if (this.#timer === null) this.#tick();
    else if (this.#latest !== null && this.#isFresh(this.#latest, FRESH_MS)) listener(this.#latest);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #isFresh({ readAtMs }: PlacementView, maxAgeMs: number): boolean {
    return performance.now() - readAtMs < maxAgeMs;
  }

  #tick(): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (this.#listeners.size > 0) this.#tick();
    }, FRESH_MS);
    this.#timer.unref();
    void this.read().then(
      (view) => {
        for (const listener of this.#listeners) listener(view);
      },
      () => undefined,
    );
  }

  async #readNow(): Promise<PlacementView> {
    const [registry, statuses, leader] = await Promise.all([
      this.#registry.read(),
      this.#registry.readPlacementStatuses(),
      this.#registry.readLeader(),
    ]);
    this.#latest = { registry, statuses: new Map(statuses.map((status) => [status.model, status])), leader, readAtMs: performance.now() };
    return this.#latest;
  }
}

/** The back-off of a model after failed starts, while it keeps the model from being placed. */
export function liveQuarantine({ registry }: PlacementView, model: ModelName): Quarantine | null {
  if (registry.endpoints.some((endpoint) => endpoint.model === model && endpoint.state !== 'stopping')) return null;
  return registry.quarantines.find((entry) => entry.model === model && entry.untilMs > registry.nowMs) ?? null;
}
