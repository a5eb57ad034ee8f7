const WINDOW_MS = 60_000;

/**
 * Never lets more than `limit` requests through within any 60 s: a sliding log of the instants of those that it let through. Exact at every instant, unlike
 * a counter per calendar minute (twice the limit around its turn) or a token bucket (twice the limit after a pause), for 8 bytes per request. What was
 * refused is not counted, so that a client that asks too soon does not put off its own turn.
 */
export class RateWindow {
  readonly #limit: number;
  /** A ring: `#next` is the oldest once it is full. */
  readonly #takenAtMs: Float64Array;
  #next = 0;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#takenAtMs = new Float64Array(limit);
  }

  /** 0 when the request may go on, which is noted; else the ms until the next one may. `nowMs` is by any clock that never goes back. */
  take(nowMs: number): number {
    if (this.#taken === this.#limit) {
      const waitMs = (this.#takenAtMs[this.#next] ?? 0) + WINDOW_MS - nowMs;
      if (waitMs > 0) return waitMs;
    } else {
      this.#taken += 1;
    }
    this.#takenAtMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#limit;
    return 0;
  }
}
