export interface ExchangeTimeouts {
  /** Longest time from the last of the request that the client sent to the head of the answer; `null`: no limit. */
  readonly headTimeoutMs: number | null;
  /** Longest time without more of the answer, only data counted in an event stream, and without the client taking any of it. */
  readonly idleTimeoutMs: number;
}

/** Whom an exchange has waited for in vain: for the head of an answer or more of it, or for somebody to take it. */
export type Late = 'engine' | 'client';

/** Measures how long an exchange waits for its engine and its client; while one is held up for the other, only the other's time runs. */
export class ExchangeClock {
  readonly #timeouts: ExchangeTimeouts;
  readonly #answer: { readonly lastDataAtMs: number };
  readonly #ring: (late: Late) => void;
  #timer: NodeJS.Timeout | null = null;
  #headCame = false;
  #stopped = false;
  /** More of the request is to come from the client, whose own deadline runs meanwhile. */
  #awaitsBody = false;
  /** The client does not take the answer as fast as it comes, and the engine is held up for it. */
  #awaitsReader = false;
  /** When either of them last changed, by `performance.now()`. */
  #turnedAtMs = 0;

  /** `answer`: when more of it last came, by `performance.now()`. `ring` is called at most once. */
  constructor(timeouts: ExchangeTimeouts, answer: { readonly lastDataAtMs: number }, ring: (late: Late) => void) {
    this.#timeouts = timeouts;
    this.#answer = answer;
    this.#ring = ring;
  }

  /** The request goes out. */
  start(): void {
    const { headTimeoutMs } = this.#timeouts;
    if (headTimeoutMs !== null && !this.#stopped) this.#set(headTimeoutMs, () => this.#ring('engine'));
  }

  headCame(): void {
    this.#clear();
    this.#headCame = true;
    // Most answers come whole in the same read, and need no clock.
    queueMicrotask(() => {
      if (!this.#stopped) this.#awaitMore(this.#timeouts.idleTimeoutMs);
    });
  }

  set awaitsBody(awaits: boolean) {
    this.#awaitsBody = awaits;
    this.#turnedAtMs = performance.now();
    if (this.#headCame) return;
    if (awaits) this.#clear();
    else this.start();
  }

  set awaitsReader(awaits: boolean) {
    this.#awaitsReader = awaits;
    this.#turnedAtMs = performance.now();
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
  }

  /** One timer for the whole answer: it is only set anew when it fires too early. */
  #awaitMore(delayMs: number): void {
    const { idleTimeoutMs } = this.#timeouts;
    this.#set(delayMs, () => {
      const leftMs = Math.max(this.#answer.lastDataAtMs, this.#turnedAtMs) + idleTimeoutMs - performance.now();
      if (leftMs > 0) this.#awaitMore(leftMs);
      else if (this.#awaitsBody) this.#awaitMore(idleTimeoutMs);
      else this.#ring(this.#awaitsReader ? 'client' : 'engine');
    });
  }

  /** What has come by then is read first, however late that is: this process may have been busy for so long. */
  #set(delayMs: number, ring: () => void): void {
    const timer = setTimeout(() => setImmediate(() => this.#timer === timer && ring()), delayMs);
    this.#timer = timer;
  }

  #clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
