import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { writeMessage } from '../http/write-message.ts';
import type { AnswerHead } from './answer-head.ts';
import { AnswerParser } from './answer-parser.ts';
import type { AnswerEvents } from './answer-parser.ts';
import { BodySender } from './body-sender.ts';
import { RequestHeads } from './request-head.ts';
import type { UpstreamRequest } from './request-head.ts';
import { UpstreamError } from './upstream-error.ts';
import { writeInBatch } from '../http/turn.ts';

/** What a request's sender is told of it. After a last piece, or after `onFailure`, nothing more is told. */
export interface AnswerReceiver extends AnswerEvents {
  /** The connection stands, so that the engine may see some of the request from now on. */
  onSending(): void;
  /** An `UpstreamError`, what the body's own source threw, or the reason that the connection was destroyed with. */
  onFailure(error: Error): void;
}

/** Where an engine listens. */
export interface ConnectionTarget {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
}

export interface ConnectionEvents {
  /** Another request may be sent; `keepAliveMs`: how long the engine keeps the connection idle, `null` where it does not say. */
  readonly onFree: (connection: Connection, keepAliveMs: number | null) => void;
  readonly onClosed: (connection: Connection) => void;
}

/** All connections read into the same memory: what comes is copied out of it before the next read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * One connection to an engine, serving one request at a time: with pipelining, an answer that breaks off would take those behind it along.
 */
export class Connection implements AnswerEvents {
  /** While it is free: until when, by `performance.now()`, it may be used again. */
  idleUntilMs = 0;
  readonly #target: ConnectionTarget;
  readonly #heads: RequestHeads;
  readonly #events: ConnectionEvents;
  readonly #socket: Socket;
  readonly #parser = new AnswerParser();
  readonly #connectTimer: NodeJS.Timeout;
  #receiver: AnswerReceiver | null = null;
  #head: AnswerHead | null = null;
  #body: BodySender | null = null;
  #connected = false;
  /** Some of the request has been written. */
  #begun = false;
  #reused = false;
  #paused = false;
  #closed = false;

  constructor(target: ConnectionTarget, events: ConnectionEvents) {
    this.#target = target;
    this.#heads = new RequestHeads(`${target.host}:${target.port}`);
    this.#events = events;
    this.#connectTimer = setTimeout(() => this.#connectTimedOut(), target.connectTimeoutMs);
    this.#socket = connect({
      // A URL writes IPv6 addresses in brackets.
      host: target.host.replace(/^\[(.*)\]$/, '$1'),
      port: target.port,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (length) => this.#onBytes(length) },
    });
    this.#socket.once('connect', () => this.#onConnect());
    this.#socket.once('end', () => this.#onEnd());
    this.#socket.on('error', (error) => this.#close(this.#fault(error)));
    this.#socket.once('close', () => this.#close(null));
  }

  /** Sends a request on a free connection. What comes of it is told to `receiver`, nothing but `onSending` before this returns. */
  send(request: UpstreamRequest, receiver: AnswerReceiver): void {
    this.#receiver = receiver;
    this.#head = null;
    this.#begun = false;
    this.#parser.begin(this);
    const head = this.#heads.of(request);
    const { body } = request;
    if (body?.kind === 'flowing') {
      this.#body = new BodySender(this.#socket, head, body);
      if (this.#connected) this.#begin(receiver);
      return;
    }
    this.#body = null;
    writeInBatch(() => {
      if (!this.#closed) this.#write(head, body?.bytes ?? null);
    });
    if (this.#connected) this.#begin(receiver);
  }

  /** Stops reading until `resume`, so that the engine is held up instead of memory filled. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  /** Closes the connection at once; a request on it fails with `reason`, or is told nothing where that is `null`. */
  destroy(reason: Error | null): void {
    if (reason === null) this.#receiver = null;
    this.#close(reason);
  }

  /** The parser's. */
  onHead(head: AnswerHead): void {
    this.#head = head;
    this.#receiver?.onHead(head);
  }

  /** The parser's. */
  onPiece(piece: Buffer | null, last: boolean): void {
    const receiver = this.#receiver;
    if (last) {
      this.#receiver = null;
      this.#release();
    }
    receiver?.onPiece(piece, last);
  }

  /** The answer is complete: the connection serves on, unless the engine, left-over bytes or an unsent body say otherwise. */
  #release(): void {
    const keepAliveMs = this.#head?.keepAliveMs ?? null;
    const unsent = this.#body?.sent === false || this.#socket.writableLength > 0;
    if (this.#closed || keepAliveMs === 0 || this.#parser.excess || unsent) {
      this.#close(null);
      return;
    }
    this.#body = null;
    if (this.#paused) this.resume();
    this.#reused = true;
    this.#events.onFree(this, keepAliveMs);
  }

  #write(head: string, body: Buffer | null): void {
    this.#begun = true;
    if (body === null) this.#socket.write(head, 'latin1');
    else writeMessage(this.#socket, head, body);
  }

  #begin(receiver: AnswerReceiver): void {
    receiver.onSending();
    if (this.#receiver !== receiver || this.#body === null) return;
    this.#begun = true;
    this.#body.send().catch((error: unknown) => {
      if (this.#receiver === receiver) this.#close(error instanceof Error ? error : new TypeError(String(error)));
    });
  }

  #onConnect(): void {
    clearTimeout(this.#connectTimer);
    this.#connected = true;
    if (this.#receiver !== null) this.#begin(this.#receiver);
  }

  #connectTimedOut(): void {
    const { host, port, connectTimeoutMs } = this.#target;
    this.#close(new UpstreamError('unreached', `No connection to ${host}:${port} within ${connectTimeoutMs} ms.`));
  }

  #onBytes(length: number): boolean {
    if (this.#receiver !== null && !this.#begun) {
      // An answer to a request that has not gone out is the answer to none.
      this.#close(null);
      return true;
    }
    try {
      this.#parser.feed(READ_BUFFER, length);
    } catch (error) {
      // A receiver that throws is a bug, and must not end the process of all others.
      this.#close(error instanceof Error ? error : new TypeError(String(error)));
    }
    // Bytes on a connection that nobody waits on: it can be trusted no more.
    if (this.#parser.excess) this.#close(null);
    return true;
  }

  #onEnd(): void {
    this.#parser.finish();
    this.#close(null);
  }

  /** `cause` is told to the request under way; without one the socket just ended. */
  #close(cause: Error | null): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#connectTimer);
    this.#socket.destroy();
    this.#body?.stop();
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#events.onClosed(this);
    receiver?.onFailure(cause ?? this.#fault(null));
  }

  /** What the end of the socket means to the request on it. */
  #fault(cause: Error | null): UpstreamError {
    const { host, port } = this.#target;
    if (!this.#connected) return new UpstreamError('unreached', `No connection to ${host}:${port}.`, { cause });
    if (this.#parser.begun) return new UpstreamError('broken', `The connection to ${host}:${port} ended inside an answer.`, { cause });
    return new UpstreamError('closed', `The connection to ${host}:${port} ended before an answer.`, { cause, reused: this.#reused });
  }
}
