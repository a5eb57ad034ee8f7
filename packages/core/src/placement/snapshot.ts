import type { Generation, GpuUuid, ModelName } from '../ids.ts';
import type { Endpoint } from '../lifecycle/endpoint.ts';
import type { GpuAllocation } from '../memory/allocation.ts';

/** What a waiter or a wish may cause: use a loaded model, cause a start, cause an eviction. Each includes those before it. */
export type PlacementRight = 'use' | 'place' | 'displace';

/** One GPU with what the ledger needs to know of it. */
export interface GpuSnapshot {
  readonly uuid: GpuUuid;
  readonly index: number;
  readonly product: string;
  /** (total − driver-reserved) × budgetFraction − reserve, whole MiB. */
  readonly budgetMiB: number;
  /** Memory that is not ours; `null` when the last reading is missing. Nothing is placed on a GPU whose foreign memory is unknown. */
  readonly foreignMiB: number | null;
}

/** An endpoint with how it is used right now. */
export interface EndpointSnapshot {
  readonly endpoint: Endpoint;
  /** Requests in flight, over all edge replicas. */
  readonly inFlight: number;
  /** End of the last request; now while one is in flight. */
  readonly lastUsedAtMs: number;
  /** Requests waiting for its model. */
  readonly waiters: number;
  /** Whether it has the catalog's present launch signature. */
  readonly current: boolean;
  readonly pinned: boolean;
  /** Draining, with no lease on it and the engine itself idle often enough. */
  readonly drained: boolean;
  /** Placed by a preload, and asked for by nobody since. */
  readonly preloaded: boolean;
  /** Whether it runs on GPUs; told apart from `allocations` only where no GPU could ever be read. Default: it has allocations. */
  readonly usesGpu?: boolean;
}

/** What a model needs on this host. */
export type Requirement =
  /** `gpus: 0`. */
  | { readonly kind: 'cpu' }
  | {
      readonly kind: 'gpu';
      readonly gpuCount: number;
      /** Footprint per GPU by GPU product, where it is known. A product that is missing needs discovery. */
      readonly vramMiBByProduct: ReadonlyMap<string, number>;
      /** Known to be needed at least per GPU: weights in the cache, catalog hint, an earlier out-of-memory. 0 if nothing is known. */
      readonly atLeastMiB: number;
    };

/**
 * A model that somebody waits or wishes for, and what may be caused for it. A model has several where somebody with a weaker right came before everybody with
 * a stronger one (`asks.ts`): each takes its turn at its own age.
 */
export interface OpenPlacement {
  readonly model: ModelName;
  /** Arrival of the oldest waiter or wish with this right. Older placements win; equal ones by model name. */
  readonly arrivedAtMs: number;
  /** Includes those before it. */
  readonly right: PlacementRight;
  /** Only preload wishes ask: its discovery may stop other preloaded endpoints, nothing else. */
  readonly preload: boolean;
  readonly requirement: Requirement;
}

/** Memory that is being freed for a placement and belongs to it. */
export interface Claim {
  readonly model: ModelName;
  /** Needed per GPU. */
  readonly allocations: readonly GpuAllocation[];
  readonly discovery: boolean;
  readonly victims: readonly Generation[];
  readonly claimedAtMs: number;
  /** When the drain of all its victims began; `null` while one of them still starts or is within residency. */
  readonly drainingSinceMs: number | null;
}

export interface PlannerSettings {
  readonly drainTimeoutMs: number;
  readonly residencyMinimumMs: number;
  /** With nothing in flight and no waiter for this long, residency is over. */
  readonly residencyIdleMs: number;
}

/** All that a placement decision may look at, at one instant. */
export interface Snapshot {
  readonly nowMs: number;
  /** `false` when nvidia-smi cannot run: one model at a time, nothing is learned. */
  readonly readingsAvailable: boolean;
  readonly gpus: readonly GpuSnapshot[];
  readonly endpoints: readonly EndpointSnapshot[];
  /**
   * Every open placement, the one asked about included. One that cannot act yet (its image is being pulled, its model is quarantined) is
   * not among them: an older placement's next step takes memory from younger ones.
   */
  readonly placements: readonly OpenPlacement[];
  readonly claims: readonly Claim[];
  readonly settings: PlannerSettings;
}
