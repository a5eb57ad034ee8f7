import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { writeMessage } from '../http/write-message.ts';
import { writeInBatch } from '../http/turn.ts';
import type { AnswerSink, SinkHead } from './answer-sink.ts';
import { chunkOf } from '../http/chunk.ts';
import { httpDate } from '../http/http-date.ts';
import { readPlainRequest } from './plain-request.ts';
import type { PlainLimits, PlainRequest } from './plain-request.ts';

/** In how many pieces a request may come before somebody else reads it. */
const MOST_PIECES = 64;
/** What a client may send behind a request before its answer is complete; then its socket is not read until it is. */
const MOST_AHEAD_BYTES = 64 * 1024;
const LAST_CHUNK = '0\r\n\r\n';

/** What becomes of a connection behind an answer. */
export interface ConnectionTerms {
  readonly ends: boolean;
  /** What a head says of it, in lines, with the empty line that ends the head. */
  readonly headers: string;
  /** The same where the body goes in chunks. */
  readonly chunkedHeaders: string;
}

export interface PlainConnectionParts extends PlainLimits {
  /** As they are now. */
  readonly terms: () => ConnectionTerms;
  /** Serves a request, whose answer is written to `sink`. */
  readonly serve: (request: PlainRequest, sink: AnswerSink) => void;
  /** Takes the connection over, at the begin of a request; everything read of it is in the socket again. */
  readonly handOver: (socket: Socket) => void;
  /** The client closed while it had sent some of a request only. */
  readonly refuseHalf: (socket: Socket) => void;
  /** Closed, or handed over. */
  readonly onClosed: (connection: PlainConnection) => void;
}

/**
 * One client's connection as long as all its requests are plain; the first that is not goes, and the connection with it, to Node's own
 * server. It serves one request at a time: what comes behind it waits for the end of the answer.
 */
export class PlainConnection implements AnswerSink {
  /** How many sweeps it has been as it is: idle, or with some of a request. */
  sweeps = 0;
  readonly #socket: Socket;
  readonly #parts: PlainConnectionParts;
  /** What was read of the next request. */
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** In how many pieces it came. */
  #reads = 0;
  /** With fewer bytes, it is not worth a look. */
  #wanted = 0;
  #serving = false;
  /** The answer says that it is the last. */
  #isLast = false;
  /** It is out: what comes is thrown away, until the client closes too. A connection that is closed with bytes unread is reset, which can overtake the answer. */
  #ended = false;
  #handedOver = false;
  #onLeft: (() => void) | null = null;
  /** The head, until it goes out. */
  #head = '';
  #framesChunks = false;

  constructor(socket: Socket, parts: PlainConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('error', ignore).on('close', this.#onClose);
  }

  /** It serves until its client has taken the answer. */
  get state(): 'idle' | 'reading' | 'serving' | 'ended' {
    if (this.#serving || this.#socket.writableLength > 0) return 'serving';
    if (this.#ended) return 'ended';
    return this.#bytes === 0 ? 'idle' : 'reading';
  }

  /** Only between two requests. */
  handOver(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    this.#handedOver = true;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('error', ignore).off('close', this.#onClose);
    socket.pause();
    const bytes = Buffer.concat([this.#takeRead(), ...bufferedIn(socket)]);
    if (bytes.length > 0) socket.unshift(bytes);
    this.#parts.onClosed(this);
    this.#parts.handOver(socket);
    socket.resume();
  }

  watch(listener: () => void): boolean {
    this.#onLeft = listener;
    return !this.#socket.destroyed;
  }

  begin({ status, statusText, headers, hasLength, hasDate }: SinkHead, flush: boolean): void {
    this.#framesChunks = !hasLength && status !== 204 && status !== 304;
    const date = hasDate ? '' : `date: ${httpDate()}\r\n`;
    const terms = this.#parts.terms();
    this.#isLast = terms.ends;
    const ofConnection = this.#framesChunks ? terms.chunkedHeaders : terms.headers;
    this.#head = startLine(status, statusText) + headers + date + ofConnection;
    if (flush) this.#socket.write(this.#takeHead(), 'latin1');
  }

  write(bytes: Buffer | string): boolean {
    return this.#write(this.#framesChunks ? chunkOf(bytes) : bytes);
  }

  onceDrained(resume: () => void): void {
    this.#socket.once('drain', resume);
  }

  end(bytes?: Buffer | string): void {
    writeInBatch(() => {
      if (this.#socket.destroyed) return;
      if (this.#framesChunks) {
        const data = bytes === undefined || bytes.length === 0 ? LAST_CHUNK : Buffer.concat([chunkOf(bytes), Buffer.from(LAST_CHUNK)]);
        this.#write(data);
      } else if (bytes !== undefined || this.#head !== '') this.#write(bytes ?? '');
      // Whoever takes no answers gets no more of them.
      if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => this.#next());
      else this.#next();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #write(bytes: Buffer | string): boolean {
    const head = this.#takeHead();
    if (head === '') return this.#socket.write(bytes);
    return writeMessage(this.#socket, head, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = '';
    return head;
  }

  readonly #onData = (piece: Buffer): void => {
    if (this.#ended) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (!this.#serving) return this.#read();
    if (this.#pieces.length > MOST_PIECES) this.#keep(Buffer.concat(this.#pieces));
    if (this.#bytes > MOST_AHEAD_BYTES) this.#socket.pause();
  };

  #read(): void {
    if (this.#reads === 0) this.sweeps = 0;
    this.#reads += 1;
    if (this.#reads > MOST_PIECES) return this.handOver();
    if (this.#bytes < this.#wanted) return;
    const bytes = this.#takeRead();
    const read = readPlainRequest(bytes, this.#parts);
    switch (read.kind) {
      case 'partial':
        this.#keep(bytes);
        this.#wanted = read.bytes;
        return;
      case 'other':
        this.#keep(bytes);
        return this.handOver();
      case 'request':
        if (bytes.length > read.length) this.#keep(bytes.subarray(read.length));
        this.#reads = 0;
        this.#serving = true;
        this.#parts.serve(read, this);
    }
  }

  #takeRead(): Buffer {
    const [first] = this.#pieces;
    const bytes = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#wanted = 0;
    return bytes;
  }

  #keep(bytes: Buffer): void {
    this.#pieces = [bytes];
    this.#bytes = bytes.length;
  }

  /** The answer is out: the next request, which may be there already. */
  #next(): void {
    this.#serving = false;
    this.#onLeft = null;
    this.sweeps = 0;
    if (this.#isLast) this.#end();
    else if (this.#bytes > 0) this.#read();
    const isFarAhead = this.#serving && this.#bytes > MOST_AHEAD_BYTES;
    if (!this.#handedOver && !isFarAhead && this.#socket.isPaused()) this.#socket.resume();
  }

  #end(): void {
    this.#ended = true;
    this.#takeRead();
    this.#socket.end();
  }

  /** The client says no more. One that waits for an answer has left: those who give up and those who only stop sending look the same. */
  readonly #onEnd = (): void => {
    if (this.state === 'reading') this.#parts.refuseHalf(this.#socket);
    else this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#parts.onClosed(this);
    const left = this.#onLeft;
    this.#onLeft = null;
    left?.();
  };
}

/** What a paused socket has read, which must stay in one piece: Node's server may take what comes later before a second one. */
function* bufferedIn(socket: Socket): Iterable<Buffer> {
  for (let piece: unknown = socket.read(); piece instanceof Buffer; piece = socket.read()) yield piece;
}

/** The usual one is at hand: a string of few pieces is cheaper to write. */
function startLine(status: number, statusText: string): string {
  if (status === 200 && statusText === 'OK') return 'HTTP/1.1 200 OK\r\n';
  return `HTTP/1.1 ${status} ${statusText === '' ? (STATUS_CODES[status] ?? '') : statusText}\r\n`;
}

/** What happened to the socket is told by its `close`. */
function ignore(): void {}
