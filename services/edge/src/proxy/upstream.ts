import { Client, Pool } from 'undici';
import type { Dispatcher } from 'undici';
import type { Reach } from '@berth/config';
import type { Generation, LeasedEndpoint } from '@berth/core';
import { OperationalError } from '@berth/core';

/** vLLM closes an idle connection after exactly 5.0 s (0.32.0, measured), so ours are dropped before. */
const KEEP_ALIVE_MS = 4000;

/** All sockets of this process to one endpoint generation. */
export class Upstream {
  readonly #origin: string;
  readonly #options: Client.Options;
  readonly #pool: Pool;
  readonly #fresh = new Set<Client>();
  readonly #watched = new WeakSet<AbortSignal>();

  constructor(origin: string, connectTimeoutMs: number) {
    this.#origin = origin;
    this.#options = {
      // Long prefills and long generations are normal; the edge keeps its own deadlines.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: 64 * 1024,
      connectTimeout: connectTimeoutMs,
    };
    // vLLM batches, so a limit on connections would only queue what the engine could run.
    this.#pool = new Pool(origin, { ...this.#options, connections: null });
  }

  /** Sends a request; `fresh` opens a socket of its own, since after one stale socket the others of the pool may be stale as well. */
  dispatch(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, fresh: boolean): void {
    if (!fresh) {
      this.#pool.dispatch(request, handler);
      return;
    }
    const client = new Client(this.#origin, this.#options);
    this.#fresh.add(client);
    client.dispatch(request, handler);
    // Ends when the request does; a client destroyed meanwhile rejects, which is as good.
    void client
      .close()
      .catch(() => undefined)
      .finally(() => this.#fresh.delete(client));
  }

  /** Destroys every socket when the signal aborts, in-flight requests with them. */
  destroyOn(signal: AbortSignal, destroy: () => void): void {
    if (this.#watched.has(signal)) return;
    this.#watched.add(signal);
    if (signal.aborted) destroy();
    else signal.addEventListener('abort', destroy, { once: true });
  }

  /** Closes idle sockets now and the others when their request ends. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#pool.close(), ...Array.from(this.#fresh, (client) => client.close())]);
  }

  async destroy(reason: Error): Promise<void> {
    await Promise.allSettled([this.#pool.destroy(reason), ...Array.from(this.#fresh, (client) => client.destroy(reason))]);
  }
}

/** One `Upstream` per endpoint generation this process has sent to. */
export class Upstreams implements AsyncDisposable {
  readonly #byGeneration = new Map<Generation, Upstream>();
  readonly #reach: Reach;
  readonly #connectTimeoutMs: number;

  constructor(settings: { readonly reach: Reach; readonly connectTimeoutMs: number }) {
    this.#reach = settings.reach;
    this.#connectTimeoutMs = settings.connectTimeoutMs;
  }

  /** `gone`: when it aborts, every socket to the endpoint is destroyed. Throws `ENGINE_UNRESPONSIVE` when it has no address this edge can use. */
  of(endpoint: LeasedEndpoint, gone: AbortSignal): Upstream {
    const { generation } = endpoint;
    let upstream = this.#byGeneration.get(generation);
    if (upstream === undefined) {
      upstream = new Upstream(new URL(this.#urlOf(endpoint)).origin, this.#connectTimeoutMs);
      this.#byGeneration.set(generation, upstream);
    }
    const known = upstream;
    known.destroyOn(gone, () => {
      if (this.#byGeneration.get(generation) === known) this.#byGeneration.delete(generation);
      void known.destroy(new EndpointGone());
    });
    return known;
  }

  /** Closes the sockets to an endpoint; resolves when none is open. */
  async closeFor(generation: Generation): Promise<void> {
    const upstream = this.#byGeneration.get(generation);
    this.#byGeneration.delete(generation);
    await upstream?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const upstreams = Array.from(this.#byGeneration.values());
    this.#byGeneration.clear();
    await Promise.all(upstreams.map((upstream) => upstream.destroy(new EndpointGone())));
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

/** The endpoint is gone, or an operator forced its stop. */
export class EndpointGone extends Error {
  override readonly name = 'EndpointGone';

  constructor() {
    super('endpoint gone');
  }
}
