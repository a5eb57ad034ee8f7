/** Redis time, kept going by this machine's clock between readings, so that instants of one host never meet two clocks. */
export class HostClock {
  #offsetMs = 0;
  readonly #wallClock: () => number;

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
  }

  /** Takes over what Redis `TIME` just said. */
  sync(redisNowMs: number): void {
    this.#offsetMs = redisNowMs - this.#wallClock();
  }

  nowMs(): number {
    return Math.round(this.#wallClock() + this.#offsetMs);
  }
}
