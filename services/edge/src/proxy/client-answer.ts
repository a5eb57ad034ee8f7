import type { ServerResponse } from 'node:http';

/** The client closed its connection; there is nobody to answer. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft';

  constructor() {
    super('client left');
  }
}

/**
 * The client's side of one request: the raw Node response, written at most once, that knows when its reader is gone. That is the `close` of
 * the response before its `finish`, in every phase: the request's own `close` comes as soon as its body was read.
 */
export class ClientAnswer {
  readonly #outgoing: ServerResponse;
  readonly #abort = new AbortController();
  #bytes = 0;
  #firstByteAtMs: number | null = null;

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing;
    if (outgoing.destroyed || outgoing.socket?.destroyed === true) this.#abort.abort(new ClientLeft());
    else outgoing.once('close', this.#closed);
  }

  /** Aborts with `ClientLeft` when the client closes before it has its whole answer. */
  get left(): AbortSignal {
    return this.#abort.signal;
  }

  get headSent(): boolean {
    return this.#outgoing.headersSent;
  }

  get status(): number | null {
    return this.#outgoing.headersSent ? this.#outgoing.statusCode : null;
  }

  get bytesSent(): number {
    return this.#bytes;
  }

  /** When the first byte of the head went out, by `performance.now()`. */
  get firstByteAtMs(): number | null {
    return this.#firstByteAtMs;
  }

  /** `headers` is flat: name, value. `flush` sends them now instead of together with the first bytes of the body. */
  begin(status: number, statusText: string, headers: string[], flush: boolean): void {
    if (this.left.aborted) return;
    this.#firstByteAtMs = performance.now();
    if (statusText === '') this.#outgoing.writeHead(status, headers);
    else this.#outgoing.writeHead(status, statusText, headers);
    if (flush) this.#outgoing.flushHeaders();
  }

  /** `false`: the client reads slower than we write; wait for `onceDrained`. */
  write(bytes: Buffer | string): boolean {
    if (this.left.aborted) return true;
    this.#bytes += bytes.length;
    return this.#outgoing.write(bytes);
  }

  onceDrained(resume: () => void): void {
    this.#outgoing.once('drain', resume);
  }

  end(bytes?: string): void {
    if (this.left.aborted || this.#outgoing.writableEnded) return;
    if (bytes === undefined) this.#outgoing.end();
    else this.#outgoing.end(bytes);
  }

  /** Cuts the connection, so that the client cannot take what it got for a whole answer. */
  breakOff(): void {
    this.#outgoing.destroy();
  }

  readonly #closed = (): void => {
    if (!this.#outgoing.writableFinished) this.#abort.abort(new ClientLeft());
  };
}
