import type { Reach } from '@berth/config';
import type { Generation, LeasedEndpoint } from '@berth/core';
import { OperationalError } from '@berth/core';
import { ConnectionPool } from './connection-pool.ts';
import { EndpointGone } from './upstream-error.ts';

/** The connections of this process to every endpoint generation it has sent to. */
export class Upstreams implements AsyncDisposable {
  readonly #pools = new Map<Generation, ConnectionPool>();
  readonly #reach: Reach;
  readonly #connectTimeoutMs: number;

  constructor(settings: { readonly reach: Reach; readonly connectTimeoutMs: number }) {
    this.#reach = settings.reach;
    this.#connectTimeoutMs = settings.connectTimeoutMs;
  }

  /**
   * `gone`: when it aborts, every connection to the endpoint is destroyed, requests in flight with them. Throws `ENGINE_UNRESPONSIVE` when the
   * endpoint has no address that this edge can use.
   */
  of(endpoint: LeasedEndpoint, gone: AbortSignal): ConnectionPool {
    const { generation } = endpoint;
    let pool = this.#pools.get(generation);
    if (pool === undefined) {
      const url = new URL(this.#urlOf(endpoint));
      pool = new ConnectionPool({ host: url.hostname, port: Number(url.port || 80), connectTimeoutMs: this.#connectTimeoutMs });
      this.#pools.set(generation, pool);
    }
    pool.destroyOn(gone);
    return pool;
  }

  /** Closes the connections to an endpoint; resolves when none is open. */
  async closeFor(generation: Generation): Promise<void> {
    const pool = this.#pools.get(generation);
    this.#pools.delete(generation);
    await pool?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    for (const pool of pools) pool.destroy(new EndpointGone());
  }

  #urlOf(endpoint: LeasedEndpoint): string {
    const { urls } = endpoint;
    const url = urls[this.#reach] ?? urls.address ?? urls.loopback ?? urls.name;
    if (url !== null) return url;
    throw new OperationalError({
      code: 'ENGINE_UNRESPONSIVE',
      message: `The endpoint of ${endpoint.model} (generation ${endpoint.generation}) has no address that this edge can reach (BERTH_REACH=${this.#reach}).`,
      retryable: false,
      details: { model: endpoint.model, generation: endpoint.generation, reach: this.#reach },
    });
  }
}
