import type { ServerResponse } from 'node:http';
import { writeInBatch } from '../upstream/turn.ts';

/** The client closed its connection; there is nobody to answer. */
export class ClientLeft extends Error {
  override readonly name = 'ClientLeft';

  constructor() {
    super('client left');
  }
}

/** A whole answer up to this size goes out in one write together with its head, as text in Latin-1, which Node joins to the head. */
const JOINED_BYTES = 16 * 1024;

/**
 * The client's side of one request: the raw Node response, written at most once, that knows when its reader is gone. That is the `close` of
 * the response before its `finish`, in every phase: the request's own `close` comes as soon as its body was read.
 */
export class ClientAnswer {
  readonly #outgoing: ServerResponse;
  #hasLeft = false;
  #left: AbortController | null = null;
  #onLeft: (() => void) | null = null;
  #bytes = 0;
  #firstByteAtMs: number | null = null;
  /** Chunks are framed here: Node writes size, data and line ends of each as buffers of their own. */
  #framesChunks = false;

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing;
    if (outgoing.destroyed || outgoing.socket?.destroyed === true) this.#hasLeft = true;
    else outgoing.on('close', this.#closed);
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
    if (this.#hasLeft) return;
    this.#firstByteAtMs = performance.now();
    if (statusText === '') this.#outgoing.writeHead(status, headers);
    else this.#outgoing.writeHead(status, statusText, headers);
    if (flush) this.#outgoing.flushHeaders();
    // Node has decided by the client's version and the head whether the body goes in chunks.
    this.#framesChunks = this.#outgoing.chunkedEncoding;
    this.#outgoing.chunkedEncoding = false;
  }

  /** `false`: the client reads slower than we write; wait for `onceDrained`. */
  write(bytes: Buffer | string): boolean {
    // An empty chunk would be the last one.
    if (this.#hasLeft || bytes.length === 0) return true;
    this.#bytes += bytes.length;
    return this.#outgoing.write(this.#framesChunks ? framed(bytes) : bytes);
  }

  onceDrained(resume: () => void): void {
    this.#outgoing.once('drain', resume);
  }

  end(bytes?: Buffer | string): void {
    if (this.#hasLeft || this.#outgoing.writableEnded) return;
    this.#bytes += bytes?.length ?? 0;
    if (this.#framesChunks) this.#outgoing.chunkedEncoding = true;
    if (bytes === undefined) this.#outgoing.end();
    else if (typeof bytes === 'string') this.#outgoing.end(bytes);
    else if (bytes.length > JOINED_BYTES) this.#outgoing.end(bytes);
    else {
      writeInBatch(() => {
        if (!this.#hasLeft) this.#outgoing.end(bytes.toString('latin1'), 'latin1');
      });
    }
  }

  /** Cuts the connection, so that the client cannot take what it got for a whole answer. */
  breakOff(): void {
    this.#outgoing.destroy();
  }

  readonly #closed = (): void => {
    if (this.#outgoing.writableFinished) return;
    this.#hasLeft = true;
    this.#onLeft?.();
    this.#left?.abort(new ClientLeft());
  };
}

/** One chunk of the chunked transfer coding (RFC 9112 §7.1) in one piece of memory, so that it goes out in one write. */
function framed(bytes: Buffer | string): Buffer {
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const size = `${data.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + data.length + 2);
  chunk.write(size, 0, 'latin1');
  data.copy(chunk, size.length);
  chunk.write('\r\n', size.length + data.length, 'latin1');
  return chunk;
}
