import type { Term } from '@berth/core';

/**
 * One term of leadership. Current until `abortAfterMs` after the last confirmed renewal was sent, by the monotonic clock: a process that
 * was stopped and wakes up finds it over before it can act.
 */
export class LeaderTerm implements Term {
  readonly epoch: string;
  readonly #controller = new AbortController();
  readonly #abortAfterMs: number;
  #untilMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(epoch: string, sentAtMs: number, abortAfterMs: number) {
    this.epoch = epoch;
    this.#abortAfterMs = abortAfterMs;
    this.confirm(sentAtMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  isCurrent(): boolean {
    return !this.#controller.signal.aborted && performance.now() < this.#untilMs;
  }

  /** Redis confirmed what was sent at that time of the monotonic clock. */
  confirm(sentAtMs: number): void {
    this.#untilMs = sentAtMs + this.#abortAfterMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.end('leadership was not confirmed in time'), Math.max(0, this.#untilMs - performance.now()));
  }

  /** Later calls do nothing. */
  end(reason: string): void {
    clearTimeout(this.#timer);
    if (!this.#controller.signal.aborted) this.#controller.abort(new DOMException(reason, 'AbortError'));
  }
}
