import type { ErrorCode } from '@berth/core';

/** What went wrong, in the terms in which Berth acts on it. */
export type FailureKind =
  | 'bad-arguments'
  | 'context-unfit'
  | 'disk-full'
  | 'kv-cache-too-small'
  | 'no-gpu'
  | 'no-room-at-start'
  | 'no-room-for-kv-cache'
  | 'out-of-memory'
  | 'out-of-memory-at-wake'
  | 'port-taken'
  | 'profiling-disturbed'
  | 'stopped-by-signal'
  | 'too-many-sequences'
  | 'unknown'
  | 'unsupported-model'
  | 'weights-forbidden'
  | 'weights-not-found'
  | 'weights-unreachable';

/** What Berth itself can do before it tries once more. */
export type FailureRemedy =
  /** The context asked for needs this much KV cache per GPU; without more of it the engine could serve that length instead. */
  | { readonly kind: 'raise-kv'; readonly neededBytes: number; readonly estimatedMaxModelLen: number | null }
  /** A neighbour on the GPU moved meanwhile; nothing is wrong with the model. */
  | { readonly kind: 'retry-after-neighbour' }
  /** Less was free than the engine asks for before it begins; sizes per GPU. */
  | { readonly kind: 'wait-for-memory'; readonly freeMiB: number; readonly wantedMiB: number }
  /** Its own use and the allocation that failed; `gpuIndex` counts the engine's own GPUs. `null` where the log does not tell. */
  | {
      readonly kind: 'out-of-memory';
      readonly ownUseMiB: number | null;
      readonly triedMiB: number | null;
      readonly gpuIndex: number | null;
    }
  | { readonly kind: 'another-port' };

/** Why an engine ended, read from its log and exit code. */
export interface EngineFailure {
  readonly code: Extract<ErrorCode, 'ENGINE_START_FAILED' | 'ENGINE_OUT_OF_MEMORY' | 'ENGINE_EXITED'>;
  readonly kind: FailureKind;
  /** For users: what happened, with numbers, and what to do. */
  readonly message: string;
  /** `null`: only a person can help, or nobody. */
  readonly remedy: FailureRemedy | null;
  /** The line of the log that tells the cause, at most 1000 characters; `null` when none does. */
  readonly rootCause: string | null;
}

/** A cause as its reader found it. */
export interface FailureCause {
  readonly kind: FailureKind;
  readonly message: string;
  readonly remedy: FailureRemedy | null;
}

/** Reads one kind of cause from an exception's text; `allText` is all exceptions of the log. `null`: not of this kind. */
export type CauseReader = (text: string, allText: string) => FailureCause | null;
