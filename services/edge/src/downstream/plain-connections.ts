import type { Socket } from 'node:net';
import { PlainConnection } from './plain-connection.ts';
import type { PlainConnectionParts } from './plain-connection.ts';

const SWEEP_MS = 1000;
/** Some of a request that has come no further is handed over: whoever takes it has deadlines for heads and bodies. */
const READING_SWEEPS = 2;

export type PlainConnectionsParts = Omit<PlainConnectionParts, 'keepAliveHeaders' | 'chunkedHeaders' | 'onClosed'> & {
  readonly keepAliveMs: number;
};

/** All connections of this process that have had plain requests only. */
export class PlainConnections {
  readonly #parts: PlainConnectionParts;
  readonly #all = new Set<PlainConnection>();
  readonly #idleSweeps: number;
  #sweep: NodeJS.Timeout | null = null;

  constructor({ keepAliveMs, ...parts }: PlainConnectionsParts) {
    this.#idleSweeps = keepAliveMs / SWEEP_MS;
    const keepAlive = `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`;
    this.#parts = {
      ...parts,
      keepAliveHeaders: `${keepAlive}\r\n`,
      chunkedHeaders: `${keepAlive}transfer-encoding: chunked\r\n\r\n`,
      onClosed: (connection) => this.#all.delete(connection),
    };
  }

  accept(socket: Socket): void {
    this.#all.add(new PlainConnection(socket, this.#parts));
    if (this.#sweep === null) this.#sweep = setTimeout(this.#sweepAll, SWEEP_MS).unref();
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
      if (connection.state === 'idle' && connection.sweeps > this.#idleSweeps) connection.destroy();
      else if (connection.state === 'reading' && connection.sweeps > READING_SWEEPS) connection.handOver();
    }
    this.#sweep = this.#all.size === 0 ? null : setTimeout(this.#sweepAll, SWEEP_MS).unref();
  };
}
