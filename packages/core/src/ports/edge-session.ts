import type { Generation, ModelName } from '../ids.ts';
import type { EndpointUrls } from '../lifecycle/endpoint.ts';
import type { PlacementRight } from '../placement/snapshot.ts';
import type { PlacementStatus, RegistryState, StopRequest, Wish } from './endpoint-registry.ts';
import type { HostView } from './host-view.ts';

/** An endpoint as an edge replica with a lease on it knows it. */
export interface LeasedEndpoint {
  readonly generation: Generation;
  readonly model: ModelName;
  readonly urls: EndpointUrls;
  readonly servedNames: readonly string[];
  readonly hasCounter: boolean;
}

/** One request counted in flight. */
export interface RequestSlot {
  readonly endpoint: LeasedEndpoint;
  /** Aborts when the endpoint is gone or an operator forces its stop: nothing more will come from it. */
  readonly gone: AbortSignal;
  /** Requests of this replica in flight on the endpoint, this one included. */
  readonly inFlight: number;
  /** Counts the request out; later calls do nothing. */
  end(): void;
}

export type AcquireAnswer =
  /** `begin` succeeds now, unless it races with a drain. */
  | { readonly kind: 'ready' }
  /** No endpoint of the model may be leased; `state` is that of its newest generation. */
  | { readonly kind: 'not-ready'; readonly state: 'starting' | 'draining' | 'stopping' | 'none' };

/** A request that waits for its model. Stands in the replica's record until `leave`. */
export interface WaiterTicket {
  /** Forgets the waiter; later calls do nothing. */
  leave(): void;
}

/** What a replica may do with one lease: `open` takes requests, `draining` lets those in flight end, `suspected` and `uncertain` wait for word. */
export type LeaseState = 'open' | 'draining' | 'suspected' | 'uncertain';

/** What one replica holds and counts at this moment. */
export interface SessionCounts {
  readonly leases: readonly { readonly model: ModelName; readonly state: LeaseState; readonly inFlight: number }[];
  /** Waiters on record, by model. */
  readonly waiters: ReadonlyMap<ModelName, number>;
  /** How long ago the last report that Redis answered was sent; `null` before the first. */
  readonly syncAgeMs: number | null;
}

/**
 * One edge replica's session with the registry: leases, requests in flight, waiters. `begin` and `end` are synchronous and local; one
 * script call every renewal period reports and renews everything, so that a hot request costs no Redis round trip.
 */
export interface EdgeSession {
  /** Counts a request in on a leased endpoint of the model; `null` when this replica may not send to one right now. */
  begin(model: ModelName): RequestSlot | null;
  /** Asks for a lease; all callers for one model share one round trip. Throws `REDIS_UNAVAILABLE`. */
  acquire(model: ModelName): Promise<AcquireAnswer>;
  /**
   * Registers a waiter. When it resolves, the waiter stands in Redis. Throws `QUEUE_FULL` (429) over the limits per model and in all,
   * `REDIS_UNAVAILABLE`.
   */
  join(waiter: {
    readonly model: ModelName;
    readonly right: PlacementRight;
    readonly arrivedAtMs: number;
    readonly deadlineAtMs: number;
  }): Promise<WaiterTicket>;
  /**
   * Names who closes the sockets to an endpoint: called before this replica gives its lease on a generation back, which waits for it. A vLLM
   * that gets SIGTERM with sockets open leaves them hanging and does not exit (vLLM 0.32.0, measured).
   */
  onLeaseEnding(closeSockets: (generation: Generation) => Promise<void>): void;
  /**
   * A connection to the endpoint was refused, reset or not made in time: nothing begins on it again before the registry confirms that it
   * serves, so that the next attempt does not meet the same dead engine.
   */
  suspect?(generation: Generation): void;
  /** Requests in flight at this replica. */
  inFlight(): number;
  /** For metrics: walks through everything, so it is for a few times a second at most. */
  counts(): SessionCounts;
  /** True once the first sync succeeded. */
  readonly synced: boolean;
  /** Since when syncing fails; `null` while it succeeds. */
  readonly failingSinceMs: number | null;
}

export type PlacementOutcome = { readonly kind: 'ready'; readonly generation: Generation } | { readonly kind: 'abandoned' };

/** The edge's side of the placement queue. */
export interface PlacementClient {
  /**
   * Adds the model's job or joins the one there is, and waits for its end. The outcome is a hint; only a lease gives the right to send.
   * Throws the placement's own failure (`DOES_NOT_FIT`, `ENGINE_START_FAILED`, …) and `REDIS_UNAVAILABLE` within 2 s when the job cannot
   * be added. Rejects with the signal's reason when it aborts; the job goes on.
   */
  place(model: ModelName, options: { readonly signal: AbortSignal }): Promise<PlacementOutcome>;
}

/** What everybody may read. */
export interface RegistryReader {
  /** Throws `REDIS_UNAVAILABLE`. */
  read(): Promise<RegistryState>;
  readPlacementStatuses(): Promise<readonly PlacementStatus[]>;
  /** The leading orchestrator and how long ago it last proved itself; `null` when none leads. */
  readLeader(): Promise<LeaderView | null>;
  /** Leaves a wish, so that a placement goes on without a connection. */
  putWish(wish: Omit<Wish, 'endsAtMs' | 'arrivedAtMs'> & { readonly arrivedMsAgo: number; readonly endsInMs: number }): Promise<void>;
  /** Asks the orchestrator to stop endpoints; it looks at such requests with every step. Throws `REDIS_UNAVAILABLE`. */
  putStopRequest(request: Omit<StopRequest, 'requestedAtMs'>): Promise<void>;
}

/** What the leading orchestrator publishes of itself, about once a second. */
export interface LeaderView {
  readonly id: string;
  readonly epoch: string;
  readonly sinceMs: number;
  /** GPUs with their ledger, for people and for `/admin/v1/state`. */
  readonly host: HostView | null;
}
