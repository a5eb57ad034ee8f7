import type { FailureShape } from '@berth/core';

/** A Docker engine that restarts is back within seconds; only a longer absence is told to those who wait. */
const TOLD_AFTER_MS = 3_000;
const RETRY_AFTER_MS = 5_000;

/** Since when the runtime cannot be reached. Waiters are told after a moment; the orchestrator goes on trying. */
export class RuntimeOutage {
  readonly #now: () => number;
  #since: { readonly atMs: number; readonly failure: FailureShape } | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(failure: FailureShape): void {
    this.#since ??= { atMs: this.#now(), failure };
  }

  end(): void {
    this.#since = null;
  }

  /** What fails right now; `null` when nothing does. */
  get problem(): FailureShape | null {
    return this.#since?.failure ?? null;
  }

  /** What to answer waiters with; `null` while the outage is too young to tell. */
  failureForWaiters(): FailureShape | null {
    if (this.#since === null || this.#now() - this.#since.atMs < TOLD_AFTER_MS) return null;
    return { ...this.#since.failure, retryAfterMs: RETRY_AFTER_MS };
  }
}
