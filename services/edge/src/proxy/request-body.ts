import type { IncomingMessage } from 'node:http';
import { OperationalError } from '@berth/core';
import { readsOfTurn } from '../http/turn.ts';
import type { ByteBudget } from './byte-budget.ts';
import { ClientLeft } from './client-answer.ts';
import { askForBody } from './expect-continue.ts';

export interface BodyLimits {
  /** A longer body is refused with `REQUEST_TOO_LARGE`. */
  readonly limitBytes: number;
  /** Where an operator can raise that; `null`: nowhere. */
  readonly limitSetting: string | null;
  /** A body up to this size is kept until the engine answers. */
  readonly retryLimitBytes: number;
  /** Longest time without a byte of it, while it is wanted. */
  readonly idleTimeoutMs: number;
}

/**
 * A request's body: what has been read of it, and the rest that is still to come. Small ones are read whole and can be sent again; a
 * larger one flows through, and can be sent again only while none of it was sent. What is read before any of it is sent counts against
 * the budget that all bodies share.
 */
export class RequestBody {
  /** Where the rest comes from; `null`: there is none. */
  readonly #incoming: IncomingMessage | null;
  readonly #limits: BodyLimits;
  readonly #budget: ByteBudget;
  #kept: Buffer[] = [];
  #bytesRead = 0;
  #ended = false;
  #sent = false;
  #holds = true;
  /** Of the budget. */
  #heldBytes = 0;
  #inspect: ((piece: Buffer) => void) | null = null;
  #abandoned = false;
  /** Ends the read under way. */
  #endRead: (() => void) | null = null;

  constructor(incoming: IncomingMessage | null, limits: BodyLimits, budget: ByteBudget) {
    this.#incoming = incoming;
    this.#limits = limits;
    this.#budget = budget;
  }

  /** A small body that has come whole. */
  static ofBytes(bytes: Buffer, limits: BodyLimits, budget: ByteBudget): RequestBody {
    const body = new RequestBody(null, limits, budget);
    body.#kept = [bytes];
    body.#bytesRead = bytes.length;
    body.#ended = true;
    body.#holds = false;
    return body;
  }

  /** Bytes read so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The length that the client declared. */
  get declaredLength(): string | undefined {
    return this.#incoming?.headers['content-length'];
  }

  /** It is, or says that it will be, larger than what is kept to be sent again. */
  get isLarge(): boolean {
    const { retryLimitBytes } = this.#limits;
    return this.#bytesRead > retryLimitBytes || Number(this.declaredLength ?? 0) > retryLimitBytes;
  }

  /** Whether all of it can be sent (again). */
  get canSend(): boolean {
    return !this.#sent || this.#isSmall;
  }

  /** Everything at once; `null` while it is still coming or too large to be joined. */
  get whole(): Buffer | null {
    if (!this.#isSmall) return null;
    if (this.#kept.length !== 1) this.#kept = [Buffer.concat(this.#kept)];
    return this.#kept[0] ?? null;
  }

  /** The pieces that are kept. */
  get pieces(): readonly Buffer[] {
    return this.#kept;
  }

  get #isSmall(): boolean {
    return this.#ended && this.#bytesRead <= this.#limits.retryLimitBytes;
  }

  /** Sees every piece that is still to come before an engine does; what it throws ends the body there. */
  inspect(inspect: (piece: Buffer) => void): void {
    this.#inspect = inspect;
  }

  /** Counts what is kept against the budget again, for a wait. Throws `QUEUE_FULL`. */
  hold(): void {
    if (this.#holds) return;
    this.#takeOfBudget(this.#kept.reduce((bytes, piece) => bytes + piece.length, 0));
    this.#holds = true;
  }

  /** An engine has it now. */
  release(): void {
    this.#holds = false;
    this.#budget.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Nobody needs it any more: takes nothing further from the client, and leaves its connection to whoever reads on. */
  abandon(): void {
    this.#abandoned = true;
    this.#endRead?.();
    this.release();
  }

  /** Notes that the engine may have seen some of it. */
  markSent(): void {
    this.#sent = true;
  }

  /**
   * Reads on until the end, or until `pause` says so after a piece. Throws `REQUEST_TOO_LARGE`, `QUEUE_FULL` when the budget is spent,
   * `REQUEST_TIMEOUT` when nothing comes for too long; `ClientLeft` when the connection closes before the end.
   */
  async read(pause?: (piece: Buffer) => boolean): Promise<void> {
    const incoming = this.#incoming;
    // The end follows the last piece at once, also when reading was paused at that piece.
    if (incoming === null || incoming.readableEnded) this.#ended = true;
    if (incoming === null || this.#ended) return;
    if (Number(this.declaredLength ?? 0) > this.#limits.limitBytes) throw this.#tooLarge();
    askForBody(incoming);
    await readsOfTurn();
    if (this.#abandoned) return;
    if (this.#takeWhole(incoming, pause)) return;
    await this.#readOn(incoming, pause);
  }

  /** Takes a body that has come to its end; false when there is more to come, or to look at piece by piece. */
  #takeWhole(incoming: IncomingMessage, pause: ((piece: Buffer) => boolean) | undefined): boolean {
    if (!incoming.complete || incoming.destroyed || this.#bytesRead + incoming.readableLength > this.#limits.retryLimitBytes) return false;
    for (let piece: unknown = incoming.read(); piece instanceof Buffer; piece = incoming.read()) {
      this.#take(piece);
      pause?.(piece);
    }
    this.#ended = true;
    return true;
  }

  #readOn(incoming: IncomingMessage, pause: ((piece: Buffer) => boolean) | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(idle);
        this.#endRead = null;
        incoming.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
        finish();
      };
      const fail = (error: unknown): void => {
        incoming.pause();
        settle(() => reject(error));
      };
      const idle = setTimeout(() => fail(this.#tooSlow()), this.#limits.idleTimeoutMs);
      const onData = (piece: Buffer): void => {
        try {
          this.#take(piece);
          idle.refresh();
          if (pause?.(piece) !== true) return;
          incoming.pause();
          settle(resolve);
        } catch (error) {
          fail(error);
        }
      };
      const onEnd = (): void => {
        this.#ended = true;
        settle(resolve);
      };
      const onClose = (): void => settle(() => reject(new ClientLeft()));
      this.#endRead = () => settle(resolve);
      if (incoming.destroyed && !incoming.readableEnded) return onClose();
      incoming.on('data', onData).once('end', onEnd).once('error', onClose).once('close', onClose);
      incoming.resume();
    });
  }

  /** The body piece by piece, for an engine; what was sent of a large one is forgotten. */
  async *flow(): AsyncGenerator<Buffer, void> {
    this.#sent = true;
    for (;;) {
      for (const piece of this.#kept.splice(0)) yield piece;
      if (this.#ended || this.#abandoned) return;
      await this.read((piece) => {
        this.#inspect?.(piece);
        return true;
      });
    }
  }

  #take(piece: Buffer): void {
    this.#bytesRead += piece.length;
    if (this.#bytesRead > this.#limits.limitBytes) throw this.#tooLarge();
    if (this.#holds) this.#takeOfBudget(piece.length);
    this.#kept.push(piece);
  }

  #takeOfBudget(bytes: number): void {
    this.#budget.take(bytes);
    this.#heldBytes += bytes;
  }

  #tooLarge(): OperationalError {
    const { limitBytes, limitSetting } = this.#limits;
    const remedy = limitSetting === null ? '' : `, or raise ${limitSetting} in berth.yaml`;
    return new OperationalError({
      code: 'REQUEST_TOO_LARGE',
      message: `The request's body is larger than ${limitBytes} bytes. Send a smaller one${remedy}.`,
      retryable: false,
      details: { limitBytes },
    });
  }

  #tooSlow(): OperationalError {
    const { idleTimeoutMs } = this.#limits;
    return new OperationalError({
      code: 'REQUEST_TIMEOUT',
      message: `Nothing of the request's body came for ${idleTimeoutMs} ms, after ${this.#bytesRead} bytes. Send it again, or raise requests.bodyIdleTimeout in berth.yaml.`,
      retryable: true,
      details: { idleTimeoutMs },
    });
  }
}
