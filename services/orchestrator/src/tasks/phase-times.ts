/** How long a load stayed in each phase. One that it comes back to counts once, with all of its time. */
export class PhaseTimes {
  readonly #spentMs: Record<string, number> = {};
  readonly #isWhole: boolean;
  #phase: string;
  #sinceMs: number | null;

  /** `sinceMs`: when the phase began; `null` where nobody knows, and then no time is told at all. */
  constructor(phase: string, sinceMs: number | null) {
    this.#phase = phase;
    this.#sinceMs = sinceMs;
    this.#isWhole = sinceMs !== null;
  }

  /** When the present phase began; `null` where it began before anybody looked. */
  get sinceMs(): number | null {
    return this.#sinceMs;
  }

  /** Does nothing in the phase it is in already. */
  enter(phase: string, atMs: number): void {
    if (phase === this.#phase) return;
    this.#note(atMs);
    this.#phase = phase;
    this.#sinceMs = atMs;
  }

  /** The times of all phases; empty when the beginning was not seen. */
  end(atMs: number): Readonly<Record<string, number>> {
    this.#note(atMs);
    return this.#isWhole ? { ...this.#spentMs } : {};
  }

  #note(atMs: number): void {
    if (this.#sinceMs === null) return;
    this.#spentMs[this.#phase] = (this.#spentMs[this.#phase] ?? 0) + Math.max(0, atMs - this.#sinceMs);
  }
}
