import { asId, OperationalError } from '@berth/core';
import type {
  AcquireAnswer,
  EdgeSession,
  Endpoint,
  FailureShape,
  Generation,
  LeaderView,
  LeasedEndpoint,
  ModelName,
  PlacementClient,
  PlacementOutcome,
  PlacementRight,
  PlacementStatus,
  Quarantine,
  RegistryReader,
  RegistryState,
  RequestSlot,
  StopRequest,
  WaiterTicket,
} from '@berth/core';

type NewWish = Parameters<RegistryReader['putWish']>[0];

interface Serving {
  readonly endpoint: LeasedEndpoint;
  readonly gone: AbortController;
  draining: boolean;
}

interface Placing {
  readonly outcome: PromiseWithResolvers<PlacementOutcome>;
  waiters: number;
}

/**
 * Registry, session and placement queue in memory, for one edge: endpoints serve when a test says so, and everything an edge counts or
 * leaves behind can be looked at.
 */
export class FakeHost implements EdgeSession, PlacementClient, RegistryReader {
  readonly wishes: NewWish[] = [];
  readonly stopRequests: Omit<StopRequest, 'requestedAtMs'>[] = [];
  readonly suspected: Generation[] = [];
  readonly statuses = new Map<ModelName, PlacementStatus>();
  readonly quarantines: Quarantine[] = [];
  /** Models whose placement was asked for, once per job. */
  readonly placed: ModelName[] = [];
  /** Rights of all waiters that joined. */
  readonly joinedWith: PlacementRight[] = [];
  starting: Endpoint[] = [];
  leader: LeaderView | null = { id: 'orchestrator', epoch: '1', sinceMs: 0, host: null };
  redisAway = false;
  synced = true;
  failingSinceMs: number | null = null;
  maxWaiters = Number.POSITIVE_INFINITY;
  /** Ends of requests that were counted out twice would show here. */
  ended = 0;
  begun = 0;
  readonly #serving = new Map<ModelName, Serving>();
  readonly #placing = new Map<ModelName, Placing>();
  readonly #waiters = new Set<object>();
  #closeSockets: (generation: Generation) => Promise<void> = () => Promise.resolve();
  #generation = 1_800_000_000_000;

  /** The model serves at this URL from now on; whoever waits for it goes on. */
  serve(model: string, url: string, servedNames: readonly string[] = [model]): LeasedEndpoint {
    this.#generation += 1;
    const endpoint: LeasedEndpoint = {
      generation: asId<Generation>(String(this.#generation)),
      model: asId<ModelName>(model),
      urls: { name: null, address: null, loopback: url },
      servedNames,
      hasCounter: true,
    };
    this.#serving.set(endpoint.model, { endpoint, gone: new AbortController(), draining: false });
    this.starting = this.starting.filter((starting) => starting.model !== endpoint.model);
    this.statuses.delete(endpoint.model);
    this.#settle(endpoint.model, (placing) => placing.outcome.resolve({ kind: 'ready', generation: endpoint.generation }));
    return endpoint;
  }

  /** The model's endpoint is gone: nothing begins on it, and its sockets are destroyed when `force` says so. */
  stop(model: string, force = false): void {
    const serving = this.#serving.get(asId<ModelName>(model));
    this.#serving.delete(asId<ModelName>(model));
    if (force) serving?.gone.abort();
  }

  /** Gives the lease back as a session does: after the sockets are closed. */
  async endLease(model: string): Promise<void> {
    const serving = this.#serving.get(asId<ModelName>(model));
    if (serving === undefined) return;
    this.#serving.delete(asId<ModelName>(model));
    await this.#closeSockets(serving.endpoint.generation);
  }

  /** Whoever waits for the model gets this. */
  fail(model: string, failure: FailureShape): void {
    this.#settle(asId<ModelName>(model), (placing) => placing.outcome.reject(new OperationalError(failure)));
  }

  get waiters(): number {
    return this.#waiters.size;
  }

  /** Callers of `place` that still wait. */
  get placing(): number {
    return this.#placing.size;
  }

  begin(model: ModelName): RequestSlot | null {
    const serving = this.#serving.get(model);
    if (serving === undefined || serving.draining) return null;
    this.begun += 1;
    let live = true;
    return {
      endpoint: serving.endpoint,
      gone: serving.gone.signal,
      end: () => {
        if (live) this.ended += 1;
        live = false;
      },
    };
  }

  async acquire(model: ModelName): Promise<AcquireAnswer> {
    this.#answer();
    return this.#serving.has(model) ? { kind: 'ready' } : { kind: 'not-ready', state: 'none' };
  }

  async join(waiter: { readonly model: ModelName; readonly right: PlacementRight }): Promise<WaiterTicket> {
    this.#answer();
    this.joinedWith.push(waiter.right);
    if (this.#waiters.size >= this.maxWaiters) {
      throw new OperationalError({
        code: 'QUEUE_FULL',
        message: `${this.#waiters.size} wait already`,
        retryable: true,
        retryAfterMs: 5000,
      });
    }
    const entry = { ...waiter };
    this.#waiters.add(entry);
    return { leave: () => void this.#waiters.delete(entry) };
  }

  onLeaseEnding(closeSockets: (generation: Generation) => Promise<void>): void {
    this.#closeSockets = closeSockets;
  }

  suspect(generation: Generation): void {
    this.suspected.push(generation);
  }

  inFlight(): number {
    return this.begun - this.ended;
  }

  place(model: ModelName, { signal }: { readonly signal: AbortSignal }): Promise<PlacementOutcome> {
    this.#answer();
    const serving = this.#serving.get(model);
    if (serving !== undefined) return Promise.resolve({ kind: 'ready', generation: serving.endpoint.generation });
    let placing = this.#placing.get(model);
    if (placing === undefined) {
      this.placed.push(model);
      placing = { outcome: Promise.withResolvers<PlacementOutcome>(), waiters: 0 };
      placing.outcome.promise.catch(() => undefined);
      this.#placing.set(model, placing);
    }
    const { promise, reject } = Promise.withResolvers<never>();
    const known = placing;
    signal.addEventListener('abort', () => {
      if (this.#placing.get(model) === known) this.#placing.delete(model);
      reject(signal.reason);
    });
    return Promise.race([placing.outcome.promise, promise]);
  }

  async read(): Promise<RegistryState> {
    this.#answer();
    return {
      nowMs: Date.now(),
      endpoints: this.starting,
      lastUsedAtMs: new Map(),
      edges: [],
      claims: [],
      wishes: [],
      quarantines: this.quarantines,
    };
  }

  async readPlacementStatuses(): Promise<readonly PlacementStatus[]> {
    this.#answer();
    return [...this.statuses.values()];
  }

  async readLeader(): Promise<LeaderView | null> {
    this.#answer();
    return this.leader;
  }

  async putWish(wish: NewWish): Promise<void> {
    this.#answer();
    this.wishes.push(wish);
  }

  async putStopRequest(request: Omit<StopRequest, 'requestedAtMs'>): Promise<void> {
    this.#answer();
    this.stopRequests.push(request);
  }

  #answer(): void {
    if (this.redisAway) throw new OperationalError({ code: 'REDIS_UNAVAILABLE', message: 'Redis does not answer', retryable: true });
  }

  #settle(model: ModelName, settle: (placing: Placing) => void): void {
    const placing = this.#placing.get(model);
    this.#placing.delete(model);
    if (placing !== undefined) settle(placing);
  }
}
