import { Connection } from './connection.ts';
import type { AnswerReceiver, ConnectionTarget } from './connection.ts';
import type { UpstreamRequest } from './request-head.ts';
import { EndpointGone } from './upstream-error.ts';

/** vLLM closes an idle connection after exactly 5.0 s (0.32.0, measured), so ours are dropped before. */
const LONGEST_IDLE_MS = 4000;
/** An engine that names its own limit is believed, less the time that a request may be on its way. */
const KEEP_ALIVE_MARGIN_MS = 1000;
const SWEEP_MS = 500;

/**
 * All connections of this process to one engine. There is no limit on their number: vLLM batches, so a limit would only queue here what the
 * engine could run. The connection used last is used first, so that those beyond the need of the moment age and are closed.
 */
export class ConnectionPool {
  readonly #target: ConnectionTarget;
  readonly #all = new Set<Connection>();
  #idle: Connection[] = [];
  #sweep: NodeJS.Timeout | null = null;
  #emptied: PromiseWithResolvers<void> | null = null;
  #gone: AbortSignal | null = null;

  constructor(target: ConnectionTarget) {
    this.#target = target;
  }

  /**
   * Sends a request on an idle connection or a new one; `fresh` takes a new one whatever idles. The connection is returned for its sender to
   * pause, resume or destroy while the answer is under way; `null` when the pool is closed.
   */
  send(request: UpstreamRequest, receiver: AnswerReceiver, fresh: boolean): Connection | null {
    if (this.#emptied !== null) return null;
    const connection = (fresh ? null : this.#takeIdle()) ?? this.#open();
    connection.send(request, receiver);
    return connection;
  }

  /** Destroys every connection when the signal aborts: the endpoint is gone, and nothing more will come from it. */
  destroyOn(gone: AbortSignal): void {
    if (this.#gone === gone) return;
    this.#gone = gone;
    if (gone.aborted) this.destroy(new EndpointGone());
    else gone.addEventListener('abort', () => this.destroy(new EndpointGone()), { once: true });
  }

  /** Closes idle connections now and the others when their request ends; resolves when none is open. */
  async close(): Promise<void> {
    this.#emptied ??= Promise.withResolvers<void>();
    for (const connection of this.#idle.splice(0)) connection.destroy(null);
    if (this.#all.size === 0) this.#emptied.resolve();
    await this.#emptied.promise;
  }

  /** Closes every connection at once; requests on them fail with `reason`. */
  destroy(reason: EndpointGone): void {
    this.#emptied ??= Promise.withResolvers<void>();
    for (const connection of this.#all) connection.destroy(reason);
    this.#emptied.resolve();
  }

  #open(): Connection {
    const connection = new Connection(this.#target, { onFree: this.#onFree, onClosed: this.#onClosed });
    this.#all.add(connection);
    return connection;
  }

  #takeIdle(): Connection | null {
    const connection = this.#idle.pop();
    if (connection === undefined) return null;
    if (connection.idleUntilMs > performance.now()) return connection;
    // The others have been idle for longer still.
    for (const stale of [connection, ...this.#idle.splice(0)]) stale.destroy(null);
    return null;
  }

  readonly #onFree = (connection: Connection, keepAliveMs: number | null): void => {
    const idleMs = Math.min(LONGEST_IDLE_MS, keepAliveMs === null ? LONGEST_IDLE_MS : keepAliveMs - KEEP_ALIVE_MARGIN_MS);
    if (this.#emptied !== null || idleMs <= 0) return connection.destroy(null);
    connection.idleUntilMs = performance.now() + idleMs;
    this.#idle.push(connection);
    if (this.#sweep === null) this.#sweep = setTimeout(this.#closeStale, SWEEP_MS).unref();
  };

  readonly #onClosed = (connection: Connection): void => {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    if (this.#all.size === 0) this.#emptied?.resolve();
  };

  readonly #closeStale = (): void => {
    const now = performance.now();
    const stale = this.#idle.filter(({ idleUntilMs }) => idleUntilMs <= now);
    for (const connection of stale) connection.destroy(null);
    this.#sweep = this.#idle.length === 0 ? null : setTimeout(this.#closeStale, SWEEP_MS).unref();
  };
}
