import { createConnection, type Socket } from 'node:net';
import { monotonicNs, StampReader } from './event-stamp.ts';

const OK = 'HTTP/1.1 200';
const END = '\r\n0\r\n\r\n';

export interface StreamClientOptions {
  readonly port: number;
  readonly request: Buffer;
  /** µs from the upstream's writing of an event to its arrival here. */
  readonly onDelay?: (delayUs: number) => void;
  /** Pause after each piece that is read: a slow reader. */
  readonly pauseMs?: number;
}

/** A client of one streamed answer, which reads its socket raw. */
export class StreamClient {
  /** The upstream's first event is here. Rejects when the stream ends before. */
  readonly firstEvent: Promise<void>;
  /** The answer is complete. Rejects when it is cut, or is not 200; never settles after `leave`. */
  readonly whole: Promise<void>;
  readonly #options: StreamClientOptions;
  readonly #socket: Socket;
  readonly #stamps = new StampReader();
  readonly #first = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<void>();
  #begun = false;
  #events = 0;
  /** The last bytes that came. */
  #tail = '';
  #left = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: StreamClientOptions) {
    this.#options = options;
    this.firstEvent = this.#first.promise;
    this.whole = this.#end.promise;
    // Not everybody waits for both.
    for (const promise of [this.firstEvent, this.whole]) promise.catch(() => undefined);
    this.#socket = createConnection({ port: options.port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (piece: Buffer) => this.#take(piece));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error(`port ${options.port} cut a stream after ${this.#events} events`)));
    this.#socket.write(options.request);
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get events(): number {
    return this.#events;
  }

  /** Closes the connection; returns when, by the clock of `monotonicNs`. */
  leave(): number {
    this.#left = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const leftAtNs = monotonicNs();
    this.#socket.destroy();
    return leftAtNs;
  }

  #take(piece: Buffer): void {
    const arrivedAtNs = monotonicNs();
    if (!this.#begun && piece.toString('latin1', 0, OK.length) !== OK) return this.#fail(new Error(`no stream: ${piece.toString()}`));
    this.#begun = true;
    const { onDelay, pauseMs } = this.#options;
    for (const sentAtNs of this.#stamps.feed(piece)) {
      this.#events += 1;
      onDelay?.((arrivedAtNs - sentAtNs) / 1000);
      if (this.#events === 1) this.#first.resolve();
    }
    this.#tail = (this.#tail + piece.toString('latin1', Math.max(0, piece.length - END.length))).slice(-END.length);
    if (this.#tail === END) {
      this.#end.resolve();
      this.leave();
    } else if (pauseMs !== undefined) {
      this.#socket.pause();
      this.#timer = setTimeout(() => this.#socket.resume(), pauseMs);
    }
  }

  #fail(error: Error): void {
    if (this.#left) return;
    this.leave();
    this.#first.reject(error);
    this.#end.reject(error);
  }
}
