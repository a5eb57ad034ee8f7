import type { FailureShape } from '../errors.ts';
import type { EngineHandle, Generation, LaunchSignature, ModelName } from '../ids.ts';
import type { GpuAllocation } from '../memory/allocation.ts';

/** `sleeping` and `asleep` come later; `gone` endpoints leave the registry. */
export const ENDPOINT_STATES = {
  starting: 'starting',
  ready: 'ready',
  draining: 'draining',
  stopping: 'stopping',
  gone: 'gone',
} as const;
export type EndpointState = keyof typeof ENDPOINT_STATES;

/** How an edge reaches an endpoint: by container name, by bridge address, or by a port of 127.0.0.1. */
export interface EndpointUrls {
  readonly name: string | null;
  readonly address: string | null;
  readonly loopback: string | null;
}

/** Why an endpoint is being drained or stopped. */
export const RETIRE_REASONS = {
  /** A placement's claim names it as victim. */
  evicted: 'evicted',
  idle: 'idle',
  operator: 'operator',
  /** Its launch signature or its catalog entry is gone. */
  superseded: 'superseded',
  /** Memory on its GPU exceeds the budget. */
  overBudget: 'overBudget',
  loadFailed: 'loadFailed',
  loadTimedOut: 'loadTimedOut',
  cancelled: 'cancelled',
  exited: 'exited',
} as const;
export type RetireReason = keyof typeof RETIRE_REASONS;

/** What holds in every state. */
export interface EndpointBase {
  readonly generation: Generation;
  readonly model: ModelName;
  readonly signature: LaunchSignature;
  readonly imageId: string;
  /** Whether the engine reports how many requests it runs. */
  readonly hasCounter: boolean;
  readonly containerName: string;
  /** `null` until the runtime created it. */
  readonly handle: EngineHandle | null;
  /** What the ledger charges: the reservation while it starts, the footprint from then on. Empty for `gpus: 0`. */
  readonly allocations: readonly GpuAllocation[];
  /** Names under which the engine serves the model: the model's own, then its aliases. */
  readonly servedNames: readonly string[];
  readonly createdAtMs: number;
  /** KV cache per GPU it was started with; `null` where Berth did not pin it. */
  readonly kvCacheBytes: number | null;
}

export interface StartingEndpoint extends EndpointBase {
  readonly state: 'starting';
  /** Reserves the whole GPU until it is measured. */
  readonly discovery: boolean;
  /** When its engine was started; `null` while the container waits for memory. */
  readonly startedAtMs: number | null;
  /** Phase of the load, as the engine's log tells; see `LoadPhase` of the engine knowledge. */
  readonly phase: string;
  /** Used memory of its GPUs just before its start: the fallback where the driver tells no memory per process. */
  readonly usedBefore: readonly GpuAllocation[];
  /** When the load counts as failed. */
  readonly deadlineAtMs: number;
}

export interface ServingFields {
  readonly urls: EndpointUrls;
  readonly readyAtMs: number;
  /** From engine start to ready; half of it is the least residency. */
  readonly loadMs: number;
  /** Host process ids that held GPU memory when it became ready. */
  readonly processIds: readonly number[];
  /** Measured use per GPU at ready, without margin. */
  readonly measured: readonly GpuAllocation[];
  readonly maxModelLen: number | null;
  /** Until then it is a victim only while nothing is in flight on it. */
  readonly sparedUntilMs: number | null;
}

export interface ReadyEndpoint extends EndpointBase, ServingFields {
  readonly state: 'ready';
}

export interface DrainingEndpoint extends EndpointBase, ServingFields {
  readonly state: 'draining';
  readonly reason: RetireReason;
  /** The placement that claims its memory; `null` for idle stops and the like. */
  readonly claimedBy: ModelName | null;
  readonly drainingSinceMs: number;
}

export interface StoppingEndpoint extends EndpointBase {
  readonly state: 'stopping';
  readonly reason: RetireReason;
  readonly failure: FailureShape | null;
  /** Nothing to lose: SIGKILL at once (an engine that loads may swallow SIGTERM; vLLM 0.32.0, measured). */
  readonly kill: boolean;
  readonly stoppingSinceMs: number;
  /** When its process was seen dead; its memory may still be held. */
  readonly exitedAtMs: number | null;
  readonly urls: EndpointUrls | null;
  readonly processIds: readonly number[];
}

/** A registered endpoint generation. */
export type Endpoint = StartingEndpoint | ReadyEndpoint | DrainingEndpoint | StoppingEndpoint;

/** What is left to say of an endpoint whose memory came back. It leaves the registry. */
export interface GoneEndpoint {
  readonly state: 'gone';
  readonly generation: Generation;
  readonly model: ModelName;
}
