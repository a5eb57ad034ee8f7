import { asId } from '@berth/core';
import type {
  AcquireAnswer,
  EdgeSession,
  Generation,
  ModelName,
  PlacementRight,
  RequestSlot,
  SessionCounts,
  WaiterTicket,
} from '@berth/core';
import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { asRedisError, redisUnavailable } from '../connection/errors.ts';
import { closeConnection, openConnection } from '../connection/open-connection.ts';
import { createKeys } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { leaveEdge } from '../scripts/leave-edge.ts';
import { syncEdge } from '../scripts/sync-edge.ts';
import type { SyncAnswer } from '../scripts/sync-edge.ts';
import type { EdgeSessionOptions } from './edge-session-options.ts';
import { LeaseTable } from './lease-table.ts';
import type { ReportedLease } from './lease-table.ts';
import { LeasedSlot } from './lease.ts';
import type { Lease } from './lease.ts';
import { PendingCalls } from './pending.ts';
import type { Pending, JoinAnswer } from './pending.ts';
import { queueFull } from './queue-full.ts';
import { SocketCloser } from './socket-closer.ts';
import { Waiters, wholeMs } from './waiters.ts';
import type { Waiter } from './waiters.ts';

/** Share of the ttl for which a lease is used: it ends here, by the clock of this process, before it ends in Redis. */
const VALID_SHARE = 0.8;

/** One edge replica's session with the registry. See `EdgeSession` for what it guarantees. */
export class RedisEdgeSession implements EdgeSession, AsyncDisposable {
  readonly #options: EdgeSessionOptions;
  readonly #keys: Keys;
  readonly #connection: Redis;
  readonly #subscriber: Redis;
  readonly #nonce = randomUUID();
  readonly #table: LeaseTable;
  readonly #waiters = new Waiters();
  readonly #pending = new PendingCalls();
  readonly #endRequest = (lease: Lease): void => this.#end(lease);
  readonly #sockets: SocketCloser;
  #timer: NodeJS.Timeout | undefined;
  #seq = 0;
  #running: Promise<void> | null = null;
  #again = false;
  #closed = false;
  #inFlight = 0;
  #synced = false;
  #failingSinceMs: number | null = null;
  #syncedAt: number | null = null;

  constructor(options: EdgeSessionOptions) {
    this.#options = options;
    this.#keys = createKeys(options.target.hostId);
    this.#sockets = new SocketCloser(options.closeSocketsTimeoutMs ?? 2000, options.target.log);
    this.#table = new LeaseTable({
      validMs: options.leaseTtlMs * VALID_SHARE,
      degradedMs: options.degradedMs,
      onDrained: (lease) => void this.#closeDrained(lease),
      onGone: (lease) => void this.#sockets.close(lease.generation),
    });
    this.#connection = openConnection(options.target, 'session');
    this.#subscriber = openConnection(options.target, 'subscriber');
    this.#connection.on('close', () => this.#table.doubtAll());
    this.#subscriber.on('message', (_channel, text) => this.#onHint(text));
  }

  get synced(): boolean {
    return this.#synced;
  }

  get failingSinceMs(): number | null {
    return this.#failingSinceMs;
  }

  /** Begins to sync; resolves after the first attempt, whether or not Redis answered. */
  async start(): Promise<void> {
    this.#subscriber.subscribe(this.#keys.hints).catch((error: unknown) => {
      if (!this.#closed) this.#options.target.log('hints could not be subscribed to', { err: error });
    });
    this.#timer = setInterval(() => this.#kick(), this.#options.leaseRenewMs);
    await this.#firstConnection();
    this.#connection.on('ready', () => this.#kick());
    // A hint may have been lost while it was away.
    this.#subscriber.on('ready', () => this.#kick());
    await this.#sync();
  }

  onLeaseEnding(closeSockets: (generation: Generation) => Promise<void>): void {
    this.#sockets.closeWith(closeSockets);
  }

  suspect(generation: Generation): void {
    const lease = this.#table.get(generation);
    if (lease === undefined) return;
    lease.suspected = true;
    this.#kick();
  }

  begin(model: ModelName): RequestSlot | null {
    const now = performance.now();
    const lease = this.#table.usable(model, now, this.#failingSinceMs !== null);
    if (lease === null) return null;
    lease.inFlight += 1;
    lease.lastUsedAt = now;
    this.#inFlight += 1;
    return new LeasedSlot(lease, this.#endRequest);
  }

  async acquire(model: ModelName): Promise<AcquireAnswer> {
    this.#assertOpen();
    const answer = this.#pending.wantLease(model);
    this.#kick();
    return answer;
  }

  async join(waiter: {
    readonly model: ModelName;
    readonly right: PlacementRight;
    readonly arrivedAtMs: number;
    readonly deadlineAtMs: number;
  }): Promise<WaiterTicket> {
    this.#assertOpen();
    // Epoch ms of this process: a wall clock that is set meanwhile changes no age.
    const entry: Waiter = {
      model: waiter.model,
      right: waiter.right,
      arrivedAt: waiter.arrivedAtMs - performance.timeOrigin,
      deadlineAt: waiter.deadlineAtMs - performance.timeOrigin,
    };
    const answer = this.#pending.wantJoin(entry);
    this.#kick();
    const joined = await answer;
    if (joined !== 'joined') throw queueFull(waiter.model, joined, this.#options);
    return { leave: () => this.#leave(entry) };
  }

  inFlight(): number {
    return this.#inFlight;
  }

  counts(): SessionCounts {
    return {
      leases: Array.from(this.#table.all(), (lease) => ({ model: lease.endpoint.model, state: lease.state, inFlight: lease.inFlight })),
      waiters: this.#waiters.byModel(),
      syncAgeMs: this.#syncedAt === null ? null : performance.now() - this.#syncedAt,
    };
  }

  /** Deletes this replica's record, with its leases and waiters, and ends the session. Requests in flight are the caller's to end first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#running;
    this.#pending.rejectAll(redisUnavailable('answer', new Error('this edge replica is shutting down')));
    try {
      await leaveEdge(this.#connection, this.#keys, this.#options.id, this.#nonce);
    } catch (error) {
      // The record expires by itself.
      this.#options.target.log('edge record could not be deleted', { err: error });
    }
    closeConnection(this.#connection);
    closeConnection(this.#subscriber);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #end(lease: Lease): void {
    lease.inFlight -= 1;
    lease.lastUsedAt = performance.now();
    this.#inFlight -= 1;
    if (!lease.open && lease.inFlight === 0) this.#table.settleDrain(lease);
  }

  #leave(waiter: Waiter): void {
    if (this.#waiters.remove(waiter)) this.#kick();
  }

  #onHint(text: string): void {
    const [state, generation = ''] = text.split(' ', 2);
    const lease = this.#table.get(asId<Generation>(generation));
    if (lease === undefined) return;
    if (state === 'draining') this.#table.block(lease);
    if (state !== 'ready' || !lease.open) this.#kick();
  }

  /** One sync at a time; what comes up meanwhile goes with the next one. */
  #kick(): void {
    if (this.#closed) return;
    if (this.#running === null) void this.#sync();
    else this.#again = true;
  }

  #sync(): Promise<void> {
    this.#running ??= this.#syncOnce().finally(() => {
      this.#running = null;
      const again = this.#again;
      this.#again = false;
      if (again) this.#kick();
    });
    return this.#running;
  }

  async #syncOnce(): Promise<void> {
    const sentAt = performance.now();
    const { rows, reported } = this.#table.report(sentAt);
    const wanted = [...this.#pending.leases];
    const joins = [...this.#pending.joins];
    this.#seq += 1;
    try {
      const answer = await syncEdge(this.#connection, this.#keys, this.#options.id, {
        nonce: this.#nonce,
        seq: this.#seq,
        ttlMs: this.#options.leaseTtlMs,
        perModel: limit(this.#options.maxWaitersPerModel),
        total: limit(this.#options.maxWaiters),
        leases: rows,
        wanted: wanted.map(([model]) => model),
        waiters: this.#waiters.report(sentAt),
        joins: joins.map(([{ right, model, arrivedAt, deadlineAt }]) => [
          right,
          model,
          wholeMs(sentAt - arrivedAt),
          wholeMs(deadlineAt - sentAt),
        ]),
      });
      if (answer === null) throw redisUnavailable('sync', new Error('a newer report of this replica is on record'));
      this.#failingSinceMs = null;
      this.#synced = true;
      this.#syncedAt = sentAt;
      this.#applyLeases(reported, answer, sentAt);
      this.#answerLeases(wanted, answer, sentAt);
      this.#answerJoins(joins, answer);
    } catch (error) {
      this.#failed(asRedisError(error, 'sync this edge replica'));
    }
  }

  #applyLeases(reported: readonly ReportedLease[], answer: SyncAnswer, sentAt: number): void {
    reported.forEach((entry, index) => {
      const row = answer.leases[index];
      if (row !== undefined && this.#table.apply(entry, row, sentAt, answer.registryId)) this.#again = true;
    });
  }

  #answerLeases(wanted: readonly (readonly [ModelName, Pending<AcquireAnswer>])[], answer: SyncAnswer, sentAt: number): void {
    wanted.forEach(([model, pending], index) => {
      this.#pending.leases.delete(model);
      const row = answer.wanted[index] ?? ['not-ready', 'none'];
      if (row[0] === 'ready') {
        this.#table.grant(row[1], performance.now(), sentAt, answer.registryId);
        pending.resolve({ kind: 'ready' });
      } else {
        pending.resolve({ kind: 'not-ready', state: row[1] });
      }
    });
  }

  #answerJoins(joins: readonly (readonly [Waiter, Pending<JoinAnswer>])[], answer: SyncAnswer): void {
    joins.forEach(([waiter, pending], index) => {
      this.#pending.joins.delete(waiter);
      const row = answer.joins[index] ?? 'full';
      if (row === 'joined') this.#waiters.add(waiter);
      pending.resolve(row);
    });
  }

  #failed(error: unknown): void {
    if (this.#failingSinceMs === null) {
      this.#failingSinceMs = performance.timeOrigin + performance.now();
      if (!this.#closed) this.#options.target.log('edge sync failed', { err: error });
    }
    this.#pending.rejectAll(error);
  }

  /** Closes the sockets of a drained endpoint, then gives the lease back with the next sync. */
  async #closeDrained(lease: Lease): Promise<void> {
    await this.#sockets.close(lease.generation);
    lease.closing = false;
    lease.closed = true;
    this.#kick();
  }

  #firstConnection(): Promise<void> {
    if (this.#connection.status === 'ready') return Promise.resolve();
    return new Promise((resolve) => {
      this.#connection.once('ready', () => resolve());
      this.#connection.once('close', () => resolve());
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw redisUnavailable('answer', new Error('this edge replica is shutting down'));
  }
}

function limit(count: number): number {
  return Number.isFinite(count) ? count : -1;
}

/** Opens a session and makes its first sync, or tries to: with Redis away it goes on trying, and `synced` stays false. */
export async function createEdgeSession(options: EdgeSessionOptions): Promise<RedisEdgeSession> {
  const session = new RedisEdgeSession(options);
  await session.start();
  return session;
}
