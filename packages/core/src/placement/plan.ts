import type { ErrorCode } from '../errors.ts';
import type { Generation, GpuUuid, ModelName } from '../ids.ts';
import type { RetireReason } from '../lifecycle/endpoint.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import type { Claim } from './snapshot.ts';

/** Why the planner decided as it did: a machine code with its numbers. Jobs log it, the API shows it, tests assert on it. */
export interface Reason {
  readonly code: ReasonCode;
  readonly gpuUuid?: GpuUuid;
  readonly model?: ModelName;
  readonly generation?: Generation;
  readonly numbers?: Readonly<Record<string, number>>;
}

export type ReasonCode =
  | 'already-serving'
  | 'start-under-way'
  | 'runs-on-cpu'
  | 'fits'
  | 'does-not-fit'
  | 'footprint-unknown'
  | 'victim-chosen'
  | 'victim-superfluous'
  | 'victim-pinned'
  | 'victim-spared'
  | 'victim-claimed'
  | 'victim-not-settled'
  | 'claim-written'
  | 'claim-withdrawn'
  | 'drain-begun'
  | 'drain-called-off'
  | 'drain-timed-out'
  | 'victims-drained'
  | 'waiting-for-drain'
  | 'waiting-for-memory'
  | 'waiting-for-start-slot'
  | 'waiting-for-older-placement'
  | 'waiting-for-readings'
  | 'no-victims-left'
  | 'may-not-place'
  | 'may-not-displace'
  | 'victim-not-preloaded'
  | 'readings-unavailable'
  | 'foreign-memory'
  | 'over-budget'
  | 'no-such-gpu-count';

/** One change, in order. Each names what it expects to find; whoever applies it re-reads first, and a stale plan leads to a fresh one. */
export type Action =
  /** Drops the claim of `model`, and calls off the drain of every victim that still drains for it (reason `evicted`), sparing it until then. */
  | { readonly kind: 'withdraw-claim'; readonly model: ModelName; readonly spareUntilMs: number | null }
  /** `draining → ready`. */
  | { readonly kind: 'call-off-drain'; readonly generation: Generation; readonly spareUntilMs: number | null }
  /** Writes the claim, in place of an earlier one of the same model. */
  | { readonly kind: 'write-claim'; readonly claim: Claim }
  /** `ready → draining`. */
  | { readonly kind: 'begin-drain'; readonly generation: Generation; readonly reason: RetireReason; readonly claimedBy: ModelName | null }
  /** `draining → stopping`; refused when a lease lives. */
  | { readonly kind: 'stop'; readonly generation: Generation }
  /** Reserves and drops the placement's own claim in one write, then creates the container. */
  | { readonly kind: 'start'; readonly model: ModelName; readonly allocations: readonly GpuAllocation[]; readonly discovery: boolean };

export type Plan =
  | { readonly kind: 'serving'; readonly generation: Generation; readonly reasons: readonly Reason[] }
  | { readonly kind: 'joined'; readonly generation: Generation; readonly reasons: readonly Reason[] }
  | { readonly kind: 'apply'; readonly actions: readonly Action[]; readonly reasons: readonly Reason[] }
  /** Nothing to do until something changes; `untilMs` is when time alone changes it. */
  | { readonly kind: 'wait'; readonly reasons: readonly Reason[]; readonly untilMs: number | null }
  | {
      readonly kind: 'refuse';
      readonly code: Extract<ErrorCode, 'DOES_NOT_FIT' | 'NO_CAPACITY_NOW'>;
      readonly message: string;
      readonly retryAfterMs: number | null;
      readonly reasons: readonly Reason[];
    };
