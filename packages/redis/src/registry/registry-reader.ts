import { hostViewRecord, placementStatusRecord, stopRequestRecord, wishRecord } from '@berth/contracts';
import type { LeaderView, PlacementStatus, RegistryReader, RegistryState, StopRequest } from '@berth/core';
import type { Redis } from 'ioredis';
import { withRedis } from '../connection/errors.ts';
import { closeConnection, openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { putStopRequest } from '../scripts/put-stop-request.ts';
import { putWish } from '../scripts/put-wish.ts';
import { readLeader } from '../scripts/read-leader.ts';
import { readRegistry } from '../scripts/read-registry.ts';
import { decodeRegistry } from './decode-registry.ts';

/** Reads the registry of one GPU host, and leaves wishes and stop requests in it. Answers within 2.5 s or throws `REDIS_UNAVAILABLE`. */
export class RedisRegistryReader implements RegistryReader, AsyncDisposable {
  readonly #connection: Redis;
  readonly #keys: Keys;

  constructor(target: RedisTarget) {
    this.#connection = openConnection(target, 'registry');
    this.#keys = createKeys(target.hostId);
  }

  async read(): Promise<RegistryState> {
    return decodeRegistry(await withRedis(this.#connection, 'read the registry', () => readRegistry(this.#connection, this.#keys)));
  }

  async readPlacementStatuses(): Promise<readonly PlacementStatus[]> {
    const texts = await withRedis(this.#connection, 'read the placements', () => this.#connection.hvals(this.#keys.statuses));
    return texts.map((text) => placementStatusRecord.read(text));
  }

  async readLeader(): Promise<LeaderView | null> {
    const leader = await withRedis(this.#connection, 'tell the leader', () => readLeader(this.#connection, this.#keys));
    return leader === null ? null : { ...leader, host: leader.host === '' ? null : hostViewRecord.read(leader.host) };
  }

  async putWish(wish: Parameters<RegistryReader['putWish']>[0]): Promise<void> {
    const { arrivedMsAgo, endsInMs, ...rest } = wish;
    const record = wishRecord.write({ ...rest, arrivedAtMs: 0, endsAtMs: 0 });
    await withRedis(this.#connection, 'store a wish', () =>
      putWish(this.#connection, this.#keys, { id: wish.id, record, arrivedMsAgo, endsInMs }),
    );
  }

  async putStopRequest(request: Omit<StopRequest, 'requestedAtMs'>): Promise<void> {
    const record = stopRequestRecord.write({ ...request, requestedAtMs: 0 });
    await withRedis(this.#connection, 'store a stop request', () =>
      putStopRequest(this.#connection, this.#keys, { id: request.id, record }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeConnection(this.#connection);
  }
}

/** Opens a reader; nothing is read yet. */
export function createRegistryReader(target: RedisTarget): RedisRegistryReader {
  return new RedisRegistryReader(target);
}
