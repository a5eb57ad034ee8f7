import type { Socket } from 'node:net';
import { PlainConnection } from './plain-connection.ts';
import type { ConnectionTerms, PlainConnectionParts } from './plain-connection.ts';

const SWEEP_MS = 1000;
/** Some of a request that has come no further is handed over: whoever takes it has deadlines for heads and bodies. */
const READING_SWEEPS = 2;
/** How long a client may take to close a connection that has ended. */
const ENDED_SWEEPS = 1;

export type PlainConnectionsParts = Omit<PlainConnectionParts, 'terms' | 'onClosed'> & {
  readonly keepAliveMs: number;
};

/** All connections of this process that have had plain requests only. */
export class PlainConnections {
  readonly #parts: PlainConnectionParts;
  readonly #all = new Set<PlainConnection>();
  readonly #idleSweeps: number;
  #terms: ConnectionTerms;
  #sweep: NodeJS.Timeout | null = null;

  constructor({ keepAliveMs, ...parts }: PlainConnectionsParts) {
    this.#idleSweeps = keepAliveMs / SWEEP_MS;
    this.#terms = termsOf(`connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`, false);
    this.#parts = { ...parts, terms: () => this.#terms, onClosed: (connection) => this.#all.delete(connection) };
  }

  accept(socket: Socket): void {
    this.#all.add(new PlainConnection(socket, this.#parts));
    if (this.#sweep === null) this.#sweep = setTimeout(this.#sweepAll, SWEEP_MS).unref();
  }

  /** From now on each connection ends behind its answer, and the answer says so. */
  endWithAnswers(): void {
    this.#terms = termsOf('connection: close\r\n', true);
  }

  /** Closes those that wait for nothing. */
  closeIdle(): void {
    for (const connection of this.#all) if (connection.state === 'idle') connection.destroy();
  }

  closeAll(): void {
    for (const connection of this.#all) connection.destroy();
  }

  readonly #sweepAll = (): void => {
    for (const connection of this.#all) {
      connection.sweeps += 1;
      const { state, sweeps } = connection;
      if (state === 'idle' && sweeps > this.#idleSweeps) connection.destroy();
      else if (state === 'ended' && sweeps > ENDED_SWEEPS) connection.destroy();
      else if (state === 'reading' && sweeps > READING_SWEEPS) connection.handOver();
    }
    this.#sweep = this.#all.size === 0 ? null : setTimeout(this.#sweepAll, SWEEP_MS).unref();
  };
}

function termsOf(headers: string, ends: boolean): ConnectionTerms {
  return { ends, headers: `${headers}\r\n`, chunkedHeaders: `${headers}transfer-encoding: chunked\r\n\r\n` };
}
