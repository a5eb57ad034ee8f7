import type { IncomingMessage } from 'node:http';
import { OperationalError } from '@berth/core';
import { ClientLeft } from './client-answer.ts';

export interface BodyLimits {
  /** A longer body is refused with `REQUEST_TOO_LARGE`. */
  readonly limitBytes: number;
  /** A body up to this size is kept until the engine answers. */
  readonly retryLimitBytes: number;
}

/**
 * A request's body: what has been read of it, and the rest that is still to come. Small ones are read whole and can be sent again; a
 * larger one flows through, and can be sent again only while none of it was sent.
 */
export class RequestBody {
  readonly #incoming: IncomingMessage;
  readonly #limits: BodyLimits;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #ended = false;
  #sent = false;

  constructor(incoming: IncomingMessage, limits: BodyLimits) {
    this.#incoming = incoming;
    this.#limits = limits;
  }

  /** Bytes read so far. */
  get bytesRead(): number {
    return this.#keptBytes;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The length that the client declared, while not all of it has been read. */
  get declaredLength(): string | undefined {
    return this.#incoming.headers['content-length'];
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

  /** The pieces read so far. */
  get pieces(): readonly Buffer[] {
    return this.#kept;
  }

  get #isSmall(): boolean {
    return this.#ended && this.#keptBytes <= this.#limits.retryLimitBytes;
  }

  /** Notes that the engine may have seen some of it. */
  markSent(): void {
    this.#sent = true;
  }

  /**
   * Reads on until the end, or until `pause` says so after a piece. Throws `REQUEST_TOO_LARGE`; `ClientLeft` when the connection closes
   * before the end.
   */
  read(pause?: (piece: Buffer) => boolean): Promise<void> {
    if (this.#ended) return Promise.resolve();
    const incoming = this.#incoming;
    if (Number(this.declaredLength ?? 0) > this.#limits.limitBytes) return Promise.reject(this.#tooLarge());
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        incoming.off('data', onData).off('end', onEnd).off('error', onClose).off('close', onClose);
        finish();
      };
      const onData = (piece: Buffer): void => {
        this.#kept.push(piece);
        this.#keptBytes += piece.length;
        try {
          if (this.#keptBytes > this.#limits.limitBytes) throw this.#tooLarge();
          if (pause?.(piece) !== true) return;
          incoming.pause();
          settle(resolve);
        } catch (error) {
          incoming.pause();
          settle(() => reject(error));
        }
      };
      const onEnd = (): void => {
        this.#ended = true;
        settle(resolve);
      };
      const onClose = (): void => settle(() => reject(new ClientLeft()));
      if (incoming.destroyed && !incoming.readableEnded) return onClose();
      incoming.on('data', onData).once('end', onEnd).once('error', onClose).once('close', onClose);
      incoming.resume();
    });
  }

  /** The body piece by piece, for an engine; what was sent of a large one is forgotten. */
  async *flow(): AsyncGenerator<Buffer, void> {
    this.#sent = true;
    for (const piece of this.#kept.splice(0)) yield piece;
    if (this.#ended) return;
    for await (const piece of this.#incoming.iterator({ destroyOnReturn: false })) {
      if (!(piece instanceof Buffer)) continue;
      this.#keptBytes += piece.length;
      if (this.#keptBytes > this.#limits.limitBytes) throw this.#tooLarge();
      yield piece;
    }
    this.#ended = true;
  }

  #tooLarge(): OperationalError {
    const { limitBytes } = this.#limits;
    return new OperationalError({
      code: 'REQUEST_TOO_LARGE',
      message: `The request's body is larger than ${limitBytes} bytes. Send a smaller one, or raise bodies.limit in berth.yaml.`,
      retryable: false,
      details: { limitBytes },
    });
  }
}
