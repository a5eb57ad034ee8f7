import type { Endpoint, LeaderView, ModelName, PlacementStatus, RegistryReader, RegistryState } from '@berth/core';

/** How often the registry is read while somebody waits, and how old a reading may be for those who only look. */
const FRESH_MS = 1000;
/** A placement under way is reported with every step, at least every 2 s; an older report is of one that was given up. */
const STATUS_LIVES_MS = 15_000;

/** What this edge last read of the registry. */
export interface PlacementView {
  readonly registry: RegistryState;
  readonly statuses: ReadonlyMap<ModelName, PlacementStatus>;
  readonly leader: LeaderView | null;
  /** By `performance.now()`. */
  readonly readAtMs: number;
}

/** How far a model is, for clients, heartbeats and people. */
export interface ModelProgress {
  readonly state: 'cold' | 'placing' | 'starting' | 'ready' | 'draining' | 'stopping';
  readonly phase: string | null;
  /** 0..1 */
  readonly progress: number | null;
  /** Learned time left until ready. */
  readonly etaMs: number | null;
  readonly endpoint: Endpoint | null;
  readonly status: PlacementStatus | null;
}

const STATE_ORDER: readonly Endpoint['state'][] = ['ready', 'starting', 'draining', 'stopping'];

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
    if (this.#latest !== null && performance.now() - this.#latest.readAtMs < maxAgeMs) return this.#latest;
    this.#reading ??= this.#readNow().finally(() => (this.#reading = null));
    return this.#reading;
  }

  /** Tells every new reading until the returned function is called. Failures to read are skipped: whoever waits has a deadline. */
  follow(listener: (view: PlacementView) => void): () => void {
    this.#listeners.add(listener);
    if (this.#timer === null) this.#tick();
    return () => {
      this.#listeners.delete(listener);
    };
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
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

/** How far the model is: the most useful of its endpoints, and the placement under way if there is one. */
export function progressOf(view: PlacementView, model: ModelName): ModelProgress {
  const own = view.registry.endpoints.filter((endpoint) => endpoint.model === model);
  const endpoint = own.toSorted((left, right) => STATE_ORDER.indexOf(left.state) - STATE_ORDER.indexOf(right.state))[0] ?? null;
  const status = view.statuses.get(model) ?? null;
  const live = status !== null && status.stage !== 'done' && ageMs(view, status) < STATUS_LIVES_MS;
  const placing = live && endpoint?.state !== 'ready' ? status : null;
  const state =
    endpoint === null || endpoint.state === 'stopping' ? (placing === null ? (endpoint?.state ?? 'cold') : 'placing') : endpoint.state;
  return {
    state,
    phase: endpoint?.state === 'starting' ? endpoint.phase : (placing?.stage ?? null),
    progress: placing?.progress ?? null,
    etaMs: placing === null || placing.etaMs === null ? null : Math.max(0, placing.etaMs - ageMs(view, placing)),
    endpoint,
    status: placing,
  };
}

/** True while an engine loads or its image is pulled: waiting longer will do. */
export function isLoading(progress: ModelProgress): boolean {
  return progress.state === 'starting' || progress.status?.stage === 'pulling' || progress.status?.stage === 'starting';
}

function ageMs(view: PlacementView, status: PlacementStatus): number {
  return Math.max(0, view.registry.nowMs - status.updatedAtMs) + (performance.now() - view.readAtMs);
}
