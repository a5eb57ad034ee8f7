import { endpointRecord, hostViewRecord, placementStatusRecord } from '@berth/contracts';
import type { Endpoint, EndpointRegistry, Generation, HostView, PlacementStatus, RegistryChange, RegistryState, Term } from '@berth/core';
import type { Redis } from 'ioredis';
import { withRedis } from '../connection/errors.ts';
import { closeConnection, openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { commitRegistry } from '../scripts/commit-registry.ts';
import type { ScriptedChange } from '../scripts/commit-registry.ts';
import { nextGeneration } from '../scripts/next-generation.ts';
import { readRegistry } from '../scripts/read-registry.ts';
import { stopDrained } from '../scripts/stop-drained.ts';
import { decodeRegistry } from './decode-registry.ts';
import { encodeChange } from './encode-change.ts';
import { assertCurrent, leadershipLost, staleState } from './fenced.ts';

export interface EndpointRegistryOptions {
  readonly target: RedisTarget;
  /** How long a lease lives without renewal. */
  readonly leaseTtlMs: number;
  /** Waited on top of it. */
  readonly leaseQuietMs: number;
}

/** The registry of one GPU host, written by its leading orchestrator. Answers within 2.5 s or throws `REDIS_UNAVAILABLE`. */
export class RedisEndpointRegistry implements EndpointRegistry, AsyncDisposable {
  readonly #connection: Redis;
  readonly #keys: Keys;
  readonly #quietMs: number;
  #quietUntilMs = 0;
  #lastGeneration: Generation | null = null;

  constructor(options: EndpointRegistryOptions) {
    this.#connection = openConnection(options.target, 'registry');
    this.#keys = createKeys(options.target.hostId);
    this.#quietMs = options.leaseTtlMs + options.leaseQuietMs;
  }

  async read(): Promise<RegistryState> {
    const stored = await withRedis(this.#connection, 'read the registry', () => readRegistry(this.#connection, this.#keys));
    this.#quietUntilMs = stored.runIdSeenAtMs + this.#quietMs;
    return decodeRegistry(stored);
  }

  /** Never repeats one it gave before, even if Redis lost its data and its clock went back. */
  async nextGeneration(): Promise<Generation> {
    const generation = await withRedis(this.#connection, 'give a generation', () =>
      nextGeneration(this.#connection, this.#keys, this.#lastGeneration),
    );
    this.#lastGeneration = generation;
    return generation;
  }

  async commit(term: Term, change: RegistryChange): Promise<void> {
    await this.#commit(term, encodeChange(this.#keys, change), 'change the registry');
  }

  /**
   * Also `false` for `leaseTtlMs + leaseQuietMs` after a restart or a loss of data of Redis was first seen, except for a generation that was
   * handed out after that: no lease on it can have been lost.
   */
  async stopDrained(term: Term, stopping: Endpoint & { readonly state: 'stopping' }): Promise<boolean> {
    assertCurrent(term);
    const answer = await withRedis(this.#connection, 'stop an endpoint', () =>
      stopDrained(this.#connection, this.#keys, {
        epoch: term.epoch,
        generation: stopping.generation,
        model: stopping.model,
        record: endpointRecord.write(stopping),
        quietMs: this.#quietMs,
      }),
    );
    if (answer.kind === 'fenced') throw leadershipLost(term.epoch, answer.epoch);
    if (answer.kind === 'stale') throw staleState(stopping.generation, answer.state);
    return answer.kind === 'ok';
  }

  async putPlacementStatus(term: Term, status: PlacementStatus): Promise<void> {
    const set = [[this.#keys.statuses, status.model, placementStatusRecord.write(status)]] as const;
    await this.#commit(term, { expect: [], put: [], remove: [], set, unset: [] }, 'store a placement status');
  }

  async putHostView(term: Term, host: HostView): Promise<void> {
    const set = [[this.#keys.published, 'host', hostViewRecord.write(host)]] as const;
    await this.#commit(term, { expect: [], put: [], remove: [], set, unset: [] }, 'store the host view');
  }

  /** In Redis ms, as of the last `read`. Generations younger than the loss are not concerned, see `stopDrained`. */
  quietUntilMs(): number {
    return this.#quietUntilMs;
  }

  async #commit(term: Term, change: ScriptedChange, what: string): Promise<void> {
    assertCurrent(term);
    const answer = await withRedis(this.#connection, what, () => commitRegistry(this.#connection, this.#keys, term.epoch, change));
    if (answer.kind === 'fenced') throw leadershipLost(term.epoch, answer.epoch);
    if (answer.kind === 'stale') throw staleState(answer.generation, answer.state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeConnection(this.#connection);
  }
}

/** Opens the registry; nothing is read yet. */
export function createEndpointRegistry(options: EndpointRegistryOptions): RedisEndpointRegistry {
  return new RedisEndpointRegistry(options);
}
