import { OperationalError } from '@berth/core';
import type { Endpoint, Generation, LeasedEndpoint, LeaseState, RequestSlot } from '@berth/core';
import { setMaxListeners } from 'node:events';

/**
 * This replica's lease on one endpoint generation. All instants are of the monotonic clock. Requests begin while it is `open` and valid;
 * a drain closes it first and gives it back only when nothing is in flight and the sockets to the endpoint are closed.
 */
export class Lease {
  readonly endpoint: LeasedEndpoint;
  readonly #gone = new AbortController();
  /** False from the first word of a drain until Redis says that the endpoint serves on. */
  open = true;
  /** Nothing in flight and all sockets closed, so that the next report may give it back. */
  closed = false;
  /** Sockets are being closed: stays blocked whatever Redis says meanwhile. */
  closing = false;
  /** Redis cannot say whether the endpoint is registered: it lost its data, or a reconnect may hide that. */
  uncertain = false;
  /** A request found nobody there: not used again before Redis says that the endpoint serves on. */
  suspected = false;
  inFlight = 0;
  lastUsedAt: number;
  /** `lastUsedAt` as last reported. */
  reportedUseAt = -Infinity;
  /** Until then Redis knows of this lease, whatever happens. */
  validUntil: number;
  /** Drain hints so far: a reply that was under way when one came must not reopen the lease. */
  hints = 0;
  /** Registry in which the endpoint was last seen; another one was built after a loss of data. */
  registryId: string;

  constructor(endpoint: Endpoint & { readonly state: 'ready' }, nowMs: number, validUntil: number, registryId: string) {
    this.endpoint = {
      generation: endpoint.generation,
      model: endpoint.model,
      urls: endpoint.urls,
      servedNames: endpoint.servedNames,
      hasCounter: endpoint.hasCounter,
    };
    this.lastUsedAt = nowMs;
    this.validUntil = validUntil;
    this.registryId = registryId;
    // Every request of the endpoint may listen.
    setMaxListeners(0, this.#gone.signal);
  }

  get generation(): Generation {
    return this.endpoint.generation;
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get state(): LeaseState {
    if (!this.open) return 'draining';
    if (this.suspected) return 'suspected';
    return this.uncertain ? 'uncertain' : 'open';
  }

  /** Ends every request on it: nothing more will come from the endpoint. */
  abandon(): void {
    this.open = false;
    this.validUntil = -Infinity;
    this.#gone.abort(
      new OperationalError({
        code: 'ENGINE_EXITED',
        message: `The endpoint ${this.generation} of ${this.endpoint.model} was stopped or has exited. Send the request again.`,
        retryable: true,
        details: { model: this.endpoint.model, generation: this.generation },
      }),
    );
  }
}

/** One request counted in on a lease. */
export class LeasedSlot implements RequestSlot {
  readonly #lease: Lease;
  readonly #onEnd: (lease: Lease) => void;
  #ended = false;

  constructor(lease: Lease, onEnd: (lease: Lease) => void) {
    this.#lease = lease;
    this.#onEnd = onEnd;
  }

  get endpoint(): LeasedEndpoint {
    return this.#lease.endpoint;
  }

  get gone(): AbortSignal {
    return this.#lease.gone;
  }

  get inFlight(): number {
    return this.#lease.inFlight;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this.#lease);
  }
}
