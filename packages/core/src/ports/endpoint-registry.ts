import type { EdgeReplicaId, Generation, ModelName } from '../ids.ts';
import type { Endpoint } from '../lifecycle/endpoint.ts';
import type { Footprint } from '../memory/footprint.ts';
import type { Reason } from '../placement/plan.ts';
import type { Claim, PlacementRight } from '../placement/snapshot.ts';
import type { FailureShape } from '../errors.ts';
import type { HostView } from './host-view.ts';
import type { Term } from './leadership.ts';

/** Requests of one model that wait at one edge replica, for one right. Absolute values, so that a repeated report changes nothing. */
export interface WaiterReport {
  readonly model: ModelName;
  readonly right: PlacementRight;
  readonly count: number;
  readonly oldestArrivedAtMs: number;
  /** When the last of them gives up. */
  readonly latestDeadlineAtMs: number;
}

/** What one edge replica last said of itself. */
export interface EdgeReplicaView {
  readonly id: EdgeReplicaId;
  readonly leases: readonly { readonly generation: Generation; readonly inFlight: number }[];
  readonly waiters: readonly WaiterReport[];
  /** Until its record expires unless it syncs again. */
  readonly expiresInMs: number;
}

/** A wait without a connection: keeps a placement going. */
export interface Wish {
  readonly id: string;
  readonly model: ModelName;
  readonly right: PlacementRight;
  /** `waiter`: left by one that was answered; `operator`, `hint`: somebody's explicit load; `preload`: from the catalog. */
  readonly kind: 'waiter' | 'operator' | 'hint' | 'preload';
  readonly arrivedAtMs: number;
  readonly endsAtMs: number;
}

/** An operator's stop. Ends when what it names is gone, or when the orchestrator removes it. */
export interface StopRequest {
  readonly id: string;
  readonly target:
    | { readonly kind: 'all' }
    | { readonly kind: 'model'; readonly model: ModelName }
    | { readonly kind: 'generation'; readonly generation: Generation };
  /** Stops at once, whatever is in flight. */
  readonly force: boolean;
  /** How long requests in flight may go on before the stop is forced; `null`: as long as they take. */
  readonly deadlineMs: number | null;
  readonly requestedAtMs: number;
}

/** Back-off of a model after failed starts. */
export interface Quarantine {
  readonly model: ModelName;
  readonly failures: number;
  readonly untilMs: number;
  readonly failure: FailureShape;
}

/** How a placement goes on, for those who look: the last plan's reasons, and pulling progress. */
export interface PlacementStatus {
  readonly model: ModelName;
  readonly stage: 'queued' | 'pulling' | 'waiting' | 'draining' | 'starting' | 'done';
  readonly reasons: readonly Reason[];
  readonly updatedAtMs: number;
  readonly detail: string | null;
  /** 0..1 of the whole load, by what earlier ones took; `null` before the engine is started, and where nothing was learned yet. */
  readonly progress: number | null;
  /** 0..1 of a pull or of the present phase of the load, where they count. */
  readonly phaseProgress: number | null;
  /** Learned time left until ready; `null` where `progress` is, and for a load that takes longer than any before. */
  readonly etaMs: number | null;
}

/** Everything that a decision reads from Redis, read in one go. `nowMs` is Redis time. */
export interface RegistryState {
  readonly nowMs: number;
  readonly endpoints: readonly Endpoint[];
  readonly lastUsedAtMs: ReadonlyMap<Generation, number>;
  readonly edges: readonly EdgeReplicaView[];
  readonly claims: readonly Claim[];
  readonly wishes: readonly Wish[];
  readonly quarantines: readonly Quarantine[];
  /** What operators asked to stop. */
  readonly stopRequests?: readonly StopRequest[];
}

/** One atomic, fenced set of writes. All or none. */
export interface RegistryChange {
  /** Refused as stale unless each of these endpoints is in the given state (`null`: does not exist). */
  readonly expect?: readonly { readonly generation: Generation; readonly state: Endpoint['state'] | null }[];
  readonly putEndpoints?: readonly Endpoint[];
  /** Forgets these endpoints altogether. */
  readonly removeEndpoints?: readonly Generation[];
  readonly putClaims?: readonly Claim[];
  readonly removeClaims?: readonly ModelName[];
  readonly putWishes?: readonly Wish[];
  readonly removeWishes?: readonly string[];
  readonly putQuarantines?: readonly Quarantine[];
  readonly removeQuarantines?: readonly ModelName[];
  readonly removeStopRequests?: readonly string[];
}

/** The registry as its only writer, the leading orchestrator, uses it. */
export interface EndpointRegistry {
  read(): Promise<RegistryState>;
  /** A generation that no other start has or had. */
  nextGeneration(): Promise<Generation>;
  /**
   * Writes all or nothing, and publishes a hint for every endpoint whose state changed. Throws `LEADERSHIP_LOST` when another epoch
   * rules, `STALE_STATE` when an expectation does not hold, `REDIS_UNAVAILABLE` when the outcome is unknown (re-read, never assume).
   */
  commit(term: Term, change: RegistryChange): Promise<void>;
  /**
   * `draining → stopping` in one script with the check that no edge replica holds a lease on it. `false` when one does.
   * Throws as `commit` does.
   */
  stopDrained(term: Term, stopping: Endpoint & { readonly state: 'stopping' }): Promise<boolean>;
  putPlacementStatus(term: Term, status: PlacementStatus): Promise<void>;
  /** Publishes what the ledger knows of this host, for people. */
  putHostView(term: Term, host: HostView): Promise<void>;
  /** When Redis may have lost leases it had granted: nothing is stopped before. */
  quietUntilMs(): number;
}

/** Learned footprints, in Redis and mirrored to a file. */
export interface FootprintStore {
  list(): Promise<readonly Footprint[]>;
  put(term: Term, footprint: Footprint): Promise<void>;
}
