import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { firstMessage } from './http-message.ts';
import type { WireMessage } from './http-message.ts';
import { waitUntil } from './wait-until.ts';

/** Long enough for the edge's slowest answer in any test. */
const WITHIN_MS = 20_000;

/** One end of a TCP connection whose every byte a test writes and sees. */
export class RawSocket implements Disposable {
  readonly socket: Socket;
  /** The other end has said that it sends no more. */
  peerEnded = false;
  /** The connection is over, in either way. */
  closed = false;
  /** Everything that has come, whatever was taken of it. */
  bytesReceived = 0;
  #pieces: Buffer[] = [];
  #seenBytes = -1;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => {
      this.#pieces.push(piece);
      this.bytesReceived += piece.length;
    });
    socket.on('end', () => (this.peerEnded = true));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.closed = true));
  }

  /** Connects to a port of this machine; only `end` and `reset` close this side. */
  static async connect(port: number): Promise<RawSocket> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return new RawSocket(socket);
  }

  /** What has come and was not taken. */
  get received(): Buffer {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Every byte in a packet of its own, as far as the kernel keeps them apart. */
  async writeByteByByte(bytes: string): Promise<void> {
    for (const byte of Buffer.from(bytes, 'latin1')) {
      await new Promise((resolve) => this.socket.write(Buffer.of(byte), resolve));
      await new Promise(setImmediate);
    }
  }

  /** Says that no more is sent; still reads. */
  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Takes the next whole message. Throws when the connection ends before. */
  async message(options: { readonly bodiless?: boolean } = {}): Promise<WireMessage> {
    for (;;) {
      await waitUntil('a message', () => this.#changed(), WITHIN_MS);
      const closed = this.peerEnded || this.closed;
      const message = firstMessage(this.received, { ...options, closed });
      if (message !== null) {
        this.#pieces = [this.received.subarray(message.size)];
        return message;
      }
      if (closed) throw new Error(`the connection ended behind ${JSON.stringify(this.received.toString('latin1'))}`);
      this.#seenBytes = this.bytesReceived;
    }
  }

  /** Everything up to the end of the connection. */
  async rest(): Promise<string> {
    await this.over();
    return this.received.toString('latin1');
  }

  /** Waits until the other end sends no more. */
  over(): Promise<void> {
    return waitUntil('the end of the connection', () => this.peerEnded || this.closed, WITHIN_MS);
  }

  #changed(): boolean {
    return this.bytesReceived !== this.#seenBytes || this.peerEnded || this.closed;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
