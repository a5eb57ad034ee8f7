import { asId, OperationalError } from '@berth/core';
import type {
  AcquireAnswer,
  Claim,
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
  SessionCounts,
  StopRequest,
  WaiterReport,
  WaiterTicket,
  Wish,
} from '@berth/core';

type NewWish = Parameters<RegistryReader['putWish']>[0];
type NewWaiter = Parameters<EdgeSession['join']>[0];

interface Serving {
  readonly endpoint: LeasedEndpoint;
  readonly gone: AbortController;
  draining: boolean;
  inFlight: number;
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
  readonly claims: Claim[] = [];
  /** Models whose placement was asked for, once per job. */
  readonly placed: ModelName[] = [];
  /** What the registry has of endpoints that do not serve, and of those that do where a test looks at more than their leases. */
  endpoints: Endpoint[] = [];
  /** Rights of all waiters that joined. */
  readonly joinedWith: PlacementRight[] = [];
  leader: LeaderView | null = { id: 'orchestrator', epoch: '1', sinceMs: 0, host: null };
  redisAway = false;
  /** What readings of the registry wait for. */
  reading: Promise<void> = Promise.resolve();
  synced = true;
  failingSinceMs: number | null = null;
  maxWaiters = Number.POSITIVE_INFINITY;
  /** Ends of requests that were counted out twice would show here. */
  ended = 0;
  begun = 0;
  readonly #lastUsedAtMs = new Map<Generation, number>();
  readonly #serving = new Map<ModelName, Serving>();
  readonly #placing = new Map<ModelName, Placing>();
  readonly #waiters = new Set<NewWaiter>();
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
    this.#serving.set(endpoint.model, { endpoint, gone: new AbortController(), draining: false, inFlight: 0 });
    this.endpoints = this.endpoints.filter(({ model: other }) => other !== endpoint.model);
    this.endpoints.push(readyEndpoint(endpoint));
    this.statuses.delete(endpoint.model);
    this.#settle(endpoint.model, (placing) => placing.outcome.resolve({ kind: 'ready', generation: endpoint.generation }));
    return endpoint;
  }

  /** When the model's endpoint was last used. */
  use(model: string, atMs: number): void {
    const serving = this.#serving.get(asId<ModelName>(model));
    if (serving !== undefined) this.#lastUsedAtMs.set(serving.endpoint.generation, atMs);
  }

  /** The model's endpoint is gone: nothing begins on it, and its sockets are destroyed when `force` says so. */
  stop(model: string, force = false): void {
    const serving = this.#serving.get(asId<ModelName>(model));
    this.#serving.delete(asId<ModelName>(model));
    this.endpoints = this.endpoints.filter((endpoint) => endpoint.model !== model);
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
    serving.inFlight += 1;
    let live = true;
    return {
      endpoint: serving.endpoint,
      gone: serving.gone.signal,
      inFlight: serving.inFlight,
      end: () => {
        if (live) {
          this.ended += 1;
          serving.inFlight -= 1;
        }
        live = false;
      },
    };
  }

  async acquire(model: ModelName): Promise<AcquireAnswer> {
    this.#answer();
    return this.#serving.has(model) ? { kind: 'ready' } : { kind: 'not-ready', state: 'none' };
  }

  async join(waiter: NewWaiter): Promise<WaiterTicket> {
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

  counts(): SessionCounts {
    const waiters = new Map<ModelName, number>();
    for (const { model } of this.#waiters) waiters.set(model, (waiters.get(model) ?? 0) + 1);
    const leases = Array.from(this.#serving, ([model, { draining, inFlight }]) => {
      return { model, state: draining ? ('draining' as const) : ('open' as const), inFlight };
    });
    return { leases, waiters, syncAgeMs: this.synced ? 0 : null };
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
    await this.reading;
    return {
      nowMs: Date.now(),
      endpoints: this.endpoints,
      lastUsedAtMs: this.#lastUsedAtMs,
      edges: [{ id: asId('edge-1'), leases: [], waiters: this.#waiterReports(), expiresInMs: 6000 }],
      claims: this.claims,
      wishes: [...new Map(this.wishes.map((wish) => [wish.id, livingWish(wish)])).values()],
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

  #waiterReports(): WaiterReport[] {
    return [...this.#waiters].map(({ model, right, arrivedAtMs, deadlineAtMs }) => ({
      model,
      right,
      count: 1,
      oldestArrivedAtMs: arrivedAtMs,
      latestDeadlineAtMs: deadlineAtMs,
    }));
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

function livingWish({ arrivedMsAgo, endsInMs, ...wish }: NewWish): Wish {
  return { ...wish, arrivedAtMs: Date.now() - arrivedMsAgo, endsAtMs: Date.now() + endsInMs };
}

function readyEndpoint({ generation, model, urls, servedNames, hasCounter }: LeasedEndpoint): Endpoint {
  const launch = { signature: asId<Endpoint['signature']>('signature'), imageId: 'sha256:1', kvCacheBytes: null, handle: null };
  const load = { readyAtMs: Date.now(), loadMs: 1000, processIds: [], measured: [], maxModelLen: 4096, sparedUntilMs: null };
  const common = { generation, model, servedNames, hasCounter, containerName: model, allocations: [], createdAtMs: Date.now() };
  return { state: 'ready', ...common, ...launch, ...load, urls };
}
