import { beginsLike, HEAD_END_LENGTH, headEndIn } from '../http/head-bytes.ts';
import { parseAnswerHead } from './answer-head.ts';
import type { AnswerHead } from './answer-head.ts';
import { ChunkDecoder } from './chunk-decoder.ts';
import { UpstreamError } from './upstream-error.ts';

const FIRST_BYTES = Buffer.from('HTTP/1.');
/** As much as Node itself allows a client's head to have, four times over; the informational answers in front of it count too. */
const LONGEST_HEAD = 64 * 1024;

/** What a parser tells of one answer: the head, then pieces, the last of them marked. */
export interface AnswerEvents {
  onHead(head: AnswerHead): void;
  /** `piece` is the receiver's to keep. An answer without a body has no piece; `last` comes with `null` where no bytes come with the end. */
  onPiece(piece: Buffer | null, last: boolean): void;
}

/**
 * Reads answers of HTTP/1.1 from the bytes of one connection, one answer after another. Informational answers (1xx) are read over. Bytes are
 * copied out, so the same memory can take the next bytes from the socket.
 */
export class AnswerParser {
  #events: AnswerEvents | null = null;
  #head: AnswerHead | null = null;
  #partialHead: Buffer | null = null;
  /** Of the informational answers that came first. */
  #headBytes = 0;
  #chunks: ChunkDecoder | null = null;
  #left = 0;
  #anyBytes = false;
  #excess = false;

  /** An answer is expected; what it holds is told to `events`. */
  begin(events: AnswerEvents): void {
    this.#events = events;
    this.#head = null;
    this.#partialHead = null;
    this.#headBytes = 0;
    this.#chunks = null;
    this.#anyBytes = false;
  }

  /** Whether any byte of the awaited answer has come. */
  get begun(): boolean {
    return this.#anyBytes;
  }

  /**
   * Bytes came that no request asked for. Known before the end of an answer is told: such a connection must not be used again, or they would
   * be taken for the answer to its next request.
   */
  get excess(): boolean {
    return this.#excess;
  }

  /** Reads on, in `bytes` up to `end`. Throws `UpstreamError` `malformed`. */
  feed(bytes: Buffer, end: number): void {
    for (let at = 0; at < end && !this.#excess;) {
      if (this.#events === null) {
        this.#excess = true;
        return;
      }
      this.#anyBytes = true;
      at = this.#head === null ? this.#feedHead(bytes, at, end) : this.#feedBody(bytes, at, end);
    }
  }

  /** The connection ended, which may be the end of the answer. */
  finish(): void {
    if (this.#head?.framing.kind === 'until-close') this.#end(null, false);
  }

  #feedHead(bytes: Buffer, from: number, end: number): number {
    const before = this.#partialHead;
    if (before === null) return this.#readHead(bytes, from, end);
    this.#partialHead = null;
    const all = Buffer.concat([before, bytes.subarray(from, end)]);
    return this.#readHead(all, 0, all.length) - before.length + from;
  }

  /** Where the head ends that begins at `from`, or `end` where it has not ended yet. */
  #readHead(bytes: Buffer, from: number, end: number): number {
    if (!beginsLike(bytes, from, end, FIRST_BYTES)) throw new UpstreamError('malformed', 'The engine does not speak HTTP/1.1.');
    const headEnd = headEndIn(bytes, from, end);
    if (this.#headBytes + (headEnd === -1 ? end : headEnd) - from > LONGEST_HEAD) {
      throw new UpstreamError('malformed', `The engine's answer has a head of more than ${LONGEST_HEAD} bytes.`);
    }
    if (headEnd === -1) {
      this.#partialHead = Buffer.from(bytes.subarray(from, end));
      return end;
    }
    const next = headEnd + HEAD_END_LENGTH;
    this.#headBytes += next - from;
    const head = parseAnswerHead(bytes, from, headEnd);
    if (head.status === 101) throw new UpstreamError('malformed', 'The engine switches protocols, which nobody asked for.');
    if (head.status >= 200) this.#begin(head, next < end);
    return next;
  }

  #begin(head: AnswerHead, more: boolean): void {
    this.#head = head;
    const { framing } = head;
    if (framing.kind === 'chunked') this.#chunks = new ChunkDecoder();
    else this.#left = framing.kind === 'length' ? framing.bytes : Number.POSITIVE_INFINITY;
    this.#events?.onHead(head);
    if (framing.kind === 'length' && framing.bytes === 0) this.#end(null, more);
  }

  #feedBody(bytes: Buffer, from: number, end: number): number {
    const chunks = this.#chunks;
    if (chunks !== null) {
      const piece = chunks.feed(bytes, from, end);
      // What stands before a fault has been sent in good order, and its client gets it.
      if (chunks.fault !== null && piece !== null) this.#events?.onPiece(piece, false);
      if (chunks.fault !== null) throw chunks.fault;
      if (chunks.done) this.#end(piece, chunks.consumed < end);
      else if (piece !== null) this.#events?.onPiece(piece, false);
      return chunks.consumed;
    }
    const take = Math.min(this.#left, end - from);
    const piece = Buffer.allocUnsafe(take);
    bytes.copy(piece, 0, from, from + take);
    this.#left -= take;
    if (this.#left === 0) this.#end(piece, from + take < end);
    else this.#events?.onPiece(piece, false);
    return from + take;
  }

  #end(piece: Buffer | null, more: boolean): void {
    const events = this.#events;
    this.#events = null;
    this.#excess = more;
    events?.onPiece(piece, true);
  }
}
