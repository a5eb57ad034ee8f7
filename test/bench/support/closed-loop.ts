import { createConnection, type Socket } from 'node:net';

export interface LoadTarget {
  readonly port: number;
  readonly path: string;
  readonly body: string;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  /** Of every request, from its first byte written to the last byte of its answer. */
  readonly latenciesMs: readonly number[];
}

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * Keeps one request under way on each of so many kept-alive connections for so long. Sockets are read raw, without an HTTP client: that takes
 * less time per request than any server in Node takes, so it is not what is measured. Throws at any answer but 200, at one without a length,
 * and when a connection closes.
 */
export async function runClosedLoop(target: LoadTarget, options: { connections: number; durationMs: number }): Promise<LoadResult> {
  const request = Buffer.from(
    `POST ${target.path} HTTP/1.1\r\nhost: 127.0.0.1:${target.port}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(target.body)}\r\n\r\n${target.body}`,
  );
  const latenciesMs: number[] = [];
  const startedAt = performance.now();
  const until = startedAt + options.durationMs;
  await Promise.all(Array.from({ length: options.connections }, () => loopOn(target.port, request, until, latenciesMs)));
  return { requestsPerSecond: (latenciesMs.length / (performance.now() - startedAt)) * 1000, latenciesMs };
}

function loopOn(port: number, request: Buffer, until: number, latenciesMs: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
    const answer = new AnswerReader();
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      socket.write(request);
    };
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.once('connect', send);
    socket.on('data', (piece: Buffer) => {
      try {
        if (!answer.feed(piece)) return;
      } catch (error) {
        return fail(error instanceof Error ? error : new Error(String(error)));
      }
      const now = performance.now();
      latenciesMs.push(now - sentAt);
      if (now < until) return send();
      resolve();
      socket.destroy();
    });
    socket.once('error', fail);
    socket.once('close', () => reject(new Error(`port ${port} closed a connection under load`)));
  });
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
