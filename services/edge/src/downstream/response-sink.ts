import type { ServerResponse } from 'node:http';
import { flatOf } from '../http/header-lines.ts';
import { writeInBatch } from '../http/turn.ts';
import type { AnswerSink, SinkHead } from './answer-sink.ts';
import { chunkOf } from '../http/chunk.ts';

/** A whole answer up to this size goes out in one write together with its head, as text in Latin-1, which Node joins to the head. */
const JOINED_BYTES = 16 * 1024;

/** Node's own response. */
export class ResponseSink implements AnswerSink {
  readonly #outgoing: ServerResponse;
  /** Chunks are framed here: Node writes size, data and line ends of each as buffers of their own. */
  #framesChunks = false;

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing;
  }

  /** The `close` of the response before its `finish`, in every phase: the request's own `close` comes as soon as its body was read. */
  watch(listener: () => void): boolean {
    const outgoing = this.#outgoing;
    if (outgoing.destroyed || outgoing.socket?.destroyed === true) return false;
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) listener();
    });
    return true;
  }

  begin({ status, statusText, headers }: SinkHead, flush: boolean): void {
    if (statusText === '') this.#outgoing.writeHead(status, flatOf(headers));
    else this.#outgoing.writeHead(status, statusText, flatOf(headers));
    if (flush) this.#outgoing.flushHeaders();
    // Node has decided by the client's version and the head whether the body goes in chunks.
    this.#framesChunks = this.#outgoing.chunkedEncoding;
    this.#outgoing.chunkedEncoding = false;
  }

  write(bytes: Buffer | string): boolean {
    return this.#outgoing.write(this.#framesChunks ? chunkOf(bytes) : bytes);
  }

  onceDrained(resume: () => void): void {
    this.#outgoing.once('drain', resume);
  }

  end(bytes?: Buffer | string): void {
    if (this.#framesChunks) this.#outgoing.chunkedEncoding = true;
    if (bytes === undefined) this.#outgoing.end();
    else if (typeof bytes === 'string') this.#outgoing.end(bytes);
    else if (bytes.length > JOINED_BYTES) this.#outgoing.end(bytes);
    else {
      writeInBatch(() => {
        if (!this.#outgoing.destroyed) this.#outgoing.end(bytes.toString('latin1'), 'latin1');
      });
    }
  }

  destroy(): void {
    this.#outgoing.destroy();
  }
}
