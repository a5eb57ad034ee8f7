import type { Generation } from '@berth/core';
import type { RedisLog } from '../connection/target.ts';

/** Has the sockets to an endpoint closed before its lease is given back. A closing that fails or hangs does not keep the lease for ever. */
export class SocketCloser {
  readonly #timeoutMs: number;
  readonly #log: RedisLog;
  #closeSockets: (generation: Generation) => Promise<void> = async () => undefined;

  constructor(timeoutMs: number, log: RedisLog) {
    this.#timeoutMs = timeoutMs;
    this.#log = log;
  }

  closeWith(closeSockets: (generation: Generation) => Promise<void>): void {
    this.#closeSockets = closeSockets;
  }

  /** Resolves when they are closed, could not be closed, or the time is over. Never rejects. */
  async close(generation: Generation): Promise<void> {
    const { promise: timeout, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#log('sockets were not closed in time', { generation, timeoutMs: this.#timeoutMs });
      resolve();
    }, this.#timeoutMs);
    try {
      await Promise.race([this.#closeSockets(generation), timeout]);
    } catch (error) {
      this.#log('sockets could not be closed', { generation, err: error });
    } finally {
      clearTimeout(timer);
    }
  }
}
