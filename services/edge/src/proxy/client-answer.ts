import type { AnswerSink, SinkHead } from '../downstream/answer-sink.ts';

/** The client closed its connection; there is nobody to answer. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft';

  constructor() {
    super('client left');
  }
}

/** The client's side of one request: its answer, written at most once, that knows when its reader is gone. */
export class ClientAnswer {
  readonly #sink: AnswerSink;
  #hasLeft = false;
  #left: AbortController | null = null;
  #onLeft: (() => void) | null = null;
  #status: number | null = null;
  #ended = false;
  #bytes = 0;
  #firstByteAtMs: number | null = null;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
    this.#hasLeft = !sink.watch(this.#closed);
  }

  /** The client closed before it had its whole answer. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Aborts with `ClientLeft` when the client leaves. Made when it is first asked for: most requests need none. */
  get left(): AbortSignal {
    if (this.#left === null) {
      this.#left = new AbortController();
      if (this.#hasLeft) this.#left.abort(new ClientLeft());
    }
    return this.#left.signal;
  }

  /** Calls `listener` when the client leaves; the next call replaces it, `null` takes it away. */
  watchLeaving(listener: (() => void) | null): void {
    this.#onLeft = listener;
  }

  get headSent(): boolean {
    return this.#status !== null;
  }

  get status(): number | null {
    return this.#status;
  }

  get bytesSent(): number {
    return this.#bytes;
  }

  /** When the first byte of the head went out, by `performance.now()`. */
  get firstByteAtMs(): number | null {
    return this.#firstByteAtMs;
  }

  /** `flush` sends the head now instead of together with the first bytes of the body. */
  begin(head: SinkHead, flush: boolean): void {
    if (this.#hasLeft) return;
    this.#firstByteAtMs = performance.now();
    this.#status = head.status;
    this.#sink.begin(head, flush);
  }

  /** `false`: the client reads slower than we write; wait for `onceDrained`. */
  write(bytes: Buffer | string): boolean {
    // An empty chunk would be the last one.
    if (this.#hasLeft || this.#ended || bytes.length === 0) return true;
    this.#bytes += bytes.length;
    return this.#sink.write(bytes);
  }

  onceDrained(resume: () => void): void {
    this.#sink.onceDrained(resume);
  }

  end(bytes?: Buffer | string): void {
    if (this.#hasLeft || this.#ended) return;
    this.#ended = true;
    this.#bytes += bytes?.length ?? 0;
    this.#sink.end(bytes);
  }

  /** Cuts the connection, so that the client cannot take what it got for a whole answer. */
  breakOff(): void {
    // Behind its end, the connection may be about another request.
    if (!this.#ended) this.#sink.destroy();
  }

  readonly #closed = (): void => {
    this.#hasLeft = true;
    this.#onLeft?.();
    this.#left?.abort(new ClientLeft());
  };
}
