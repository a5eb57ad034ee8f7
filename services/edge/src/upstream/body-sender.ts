import type { Socket } from 'node:net';
import type { UpstreamBody } from './request-head.ts';
import { UpstreamError } from './upstream-error.ts';

const LAST_CHUNK = '0\r\n\r\n';

/** Sends a body that flows, piece by piece as the engine's socket takes them: in chunks, or as the length that its client declared. */
export class BodySender {
  readonly #socket: Socket;
  readonly #head: string;
  readonly #body: UpstreamBody & { readonly kind: 'flowing' };
  #sent = false;
  #stopped = false;

  constructor(socket: Socket, head: string, body: UpstreamBody & { readonly kind: 'flowing' }) {
    this.#socket = socket;
    this.#head = head;
    this.#body = body;
  }

  /** All of it has gone out. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Takes no further piece from the body. */
  stop(): void {
    this.#stopped = true;
  }

  /** Rejects with what the body's source throws, and when it does not keep the length that was declared. */
  async send(): Promise<void> {
    const { pieces, length } = this.#body;
    let bytes = 0;
    this.#socket.write(this.#head, 'latin1');
    for await (const piece of pieces) {
      if (this.#stopped) return;
      bytes += piece.length;
      if (length !== null && bytes > length) break;
      if (!this.#write(piece, length === null) && !this.#stopped) await drainedOrClosed(this.#socket);
    }
    if (this.#stopped) return;
    if (length !== null && bytes !== length) throw new UpstreamError('closed', 'The body has not the length that its client declared.');
    if (length === null) this.#socket.write(LAST_CHUNK, 'latin1');
    this.#sent = true;
  }

  #write(piece: Buffer, chunked: boolean): boolean {
    if (!chunked) return this.#socket.write(piece);
    if (piece.length === 0) return true;
    this.#socket.cork();
    this.#socket.write(`${piece.length.toString(16)}\r\n`, 'latin1');
    this.#socket.write(piece);
    const more = this.#socket.write('\r\n', 'latin1');
    this.#socket.uncork();
    return more;
  }
}

function drainedOrClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off('drain', settle).off('close', settle);
      resolve();
    };
    socket.on('drain', settle).on('close', settle);
  });
}
