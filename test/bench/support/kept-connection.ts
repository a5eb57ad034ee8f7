import { createConnection, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * A connection on which one request follows another. It is read raw, without an HTTP client, which takes less time per request than any server
 * in Node does. It fails at an answer other than 200, at one without a length, and when it is closed with a request under way.
 */
export class KeptConnection {
  readonly #socket: Socket;
  readonly #answer = new AnswerReader();
  #waiting: PromiseWithResolvers<void> | null = null;

  constructor(port: number) {
    this.#socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (piece: Buffer) => this.#take(piece));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error(`port ${port} closed a connection under load`)));
  }

  /** Sends a request; resolves with its answer's last byte. */
  ask(request: Buffer): Promise<void> {
    this.#waiting = Promise.withResolvers<void>();
    this.#socket.write(request);
    return this.#waiting.promise;
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    try {
      if (!this.#answer.feed(piece)) return;
    } catch (error) {
      return this.#fail(error);
    }
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  #fail(error: unknown): void {
    this.#waiting?.reject(error);
    this.close();
  }
}

/** Finds the end of one answer after another on a connection. */
class AnswerReader {
  #head: Buffer | null = null;
  #missingBytes = 0;

  /** True when the answer is complete. */
  feed(piece: Buffer): boolean {
    if (this.#missingBytes > 0) {
      this.#missingBytes -= piece.length;
      return this.#missingBytes === 0;
    }
    const bytes = this.#head === null ? piece : Buffer.concat([this.#head, piece]);
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd === -1) {
      this.#head = bytes;
      return false;
    }
    this.#head = null;
    const head = bytes.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (!head.startsWith('HTTP/1.1 200') || length === undefined) throw new Error(`an answer that cannot be measured: ${bytes.toString()}`);
    this.#missingBytes = headEnd + HEAD_END.length + Number(length) - bytes.length;
    return this.#missingBytes === 0;
  }
}
