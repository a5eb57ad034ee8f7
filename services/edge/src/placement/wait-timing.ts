/**
 * How long one request queued, and how long its model was then placed, over all its waits: what `Server-Timing` and the log tell. Both can be
 * asked while a wait goes on.
 */
export class WaitTiming {
  readonly #nowMs: () => number;
  #endedQueueMs = 0;
  #endedPlaceMs = 0;
  #beganAtMs: number | null = null;
  #startingAtMs: number | null = null;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Until a start was decided; all of a wait in which none was seen. */
  get queueMs(): number {
    return this.#endedQueueMs + (this.#beganAtMs === null ? 0 : (this.#startingAtMs ?? this.#nowMs()) - this.#beganAtMs);
  }

  get placeMs(): number {
    return this.#endedPlaceMs + (this.#startingAtMs === null ? 0 : this.#nowMs() - this.#startingAtMs);
  }

  /** A wait begins; it ends when the returned function is called. */
  begin(): () => void {
    this.#beganAtMs = this.#nowMs();
    return () => {
      [this.#endedQueueMs, this.#endedPlaceMs] = [this.queueMs, this.placeMs];
      this.#beganAtMs = null;
      this.#startingAtMs = null;
    };
  }

  /** A start was seen in this wait. */
  get sawStart(): boolean {
    return this.#startingAtMs !== null;
  }

  /** Its start is seen, decided so long ago; later calls within a wait do nothing. */
  starting(agoMs: number): void {
    if (this.#beganAtMs !== null) this.#startingAtMs ??= Math.max(this.#beganAtMs, this.#nowMs() - agoMs);
  }

  /** The value of `Server-Timing`, as of now. */
  toString(): string {
    return `queue;dur=${Math.round(this.queueMs)}, place;dur=${Math.round(this.placeMs)}`;
  }
}
