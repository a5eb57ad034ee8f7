import { isOperationalError } from '@berth/core';
import type { Term } from '@berth/core';
import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { withRedis } from '../connection/errors.ts';
import { closeConnection, openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { releaseLeadership } from '../scripts/release-leadership.ts';
import { renewLeadership } from '../scripts/renew-leadership.ts';
import { takeLeadership } from '../scripts/take-leadership.ts';
import { LeaderTerm } from './leader-term.ts';

export interface LeadershipOptions {
  readonly target: RedisTarget;
  /** Unique per process. */
  readonly id: string;
  /** After this long without renewal another orchestrator may lead. */
  readonly ttlMs: number;
  /** Time between two renewals, and between two attempts of a standby. */
  readonly renewMs: number;
  /** A term ends by itself this long after its last confirmed renewal; less than `ttlMs`. */
  readonly abortAfterMs: number;
}

/** Takes part in the election of the one orchestrator that leads a GPU host. */
export class Leadership implements AsyncDisposable {
  readonly #options: LeadershipOptions;
  readonly #connection: Redis;
  readonly #keys: Keys;
  #takenEpoch = '0';

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#connection = openConnection(options.target, 'leadership');
    this.#keys = createKeys(options.target.hostId);
  }

  /**
   * Leads whenever it can until `signal` aborts, then gives the lock up, so that a standby takes over at once. Every term has an epoch of
   * its own; the next one begins only after the promise of the one before has settled. `LEADERSHIP_LOST`, `STALE_STATE` and
   * `REDIS_UNAVAILABLE` out of `onTerm` end that term alone; any other error gives the lock up and is thrown.
   */
  async run(onTerm: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const begunAtMs = performance.now();
      const term = await this.#take();
      if (term !== null) await this.#lead(term, onTerm, signal);
      // A long term that ended (Redis was emptied) is followed by the next one at once; short ones must not follow each other in a rush.
      const restMs = begunAtMs + this.#options.renewMs - performance.now();
      if (restMs > 0) await sleep(restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #take(): Promise<LeaderTerm | null> {
    const { id, ttlMs, abortAfterMs } = this.#options;
    const sentAtMs = performance.now();
    try {
      const answer = await withRedis(this.#connection, 'elect a leader', () =>
        takeLeadership(this.#connection, this.#keys, { id, ttlMs, takenEpoch: this.#takenEpoch }),
      );
      if (answer.kind === 'held') return null;
      this.#takenEpoch = answer.epoch;
      return new LeaderTerm(answer.epoch, sentAtMs, abortAfterMs);
    } catch (error) {
      if (!isOperationalError(error, 'REDIS_UNAVAILABLE')) throw error;
      this.#options.target.log('leadership could not be taken', { err: error });
      return null;
    }
  }

  async #lead(term: LeaderTerm, onTerm: (term: Term) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { log } = this.#options.target;
    const onShutdown = (): void => term.end('this orchestrator is shutting down');
    signal.addEventListener('abort', onShutdown, { once: true });
    log('leadership was taken', { epoch: term.epoch });
    // A bug in renewing ends the term and is thrown when its work has settled.
    const renewing = this.#renew(term).then(
      () => null,
      (error: unknown) => {
        term.end('renewing failed');
        return { error };
      },
    );
    try {
      if (signal.aborted) onShutdown();
      await onTerm(term);
    } catch (error) {
      if (!isOperationalError(error, 'LEADERSHIP_LOST', 'STALE_STATE', 'REDIS_UNAVAILABLE')) throw error;
      log('term was broken off', { epoch: term.epoch, err: error });
    } finally {
      signal.removeEventListener('abort', onShutdown);
      term.end('its work is done');
      await renewing;
      await this.#release(term.epoch);
      log('leadership was given up', { epoch: term.epoch });
    }
    const failed = await renewing;
    if (failed !== null) throw failed.error;
  }

  async #renew(term: LeaderTerm): Promise<void> {
    const { id, ttlMs, renewMs, target } = this.#options;
    for (;;) {
      await sleep(renewMs, undefined, { signal: term.signal }).catch(() => undefined);
      if (term.signal.aborted) return;
      const sentAtMs = performance.now();
      try {
        const renewed = await withRedis(this.#connection, 'renew leadership', () =>
          renewLeadership(this.#connection, this.#keys, { id, epoch: term.epoch, ttlMs }),
        );
        if (renewed) term.confirm(sentAtMs);
        else term.end('another orchestrator leads, or Redis lost its data');
      } catch (error) {
        if (!isOperationalError(error, 'REDIS_UNAVAILABLE')) throw error;
        target.log('leadership could not be renewed', { epoch: term.epoch, err: error });
      }
    }
  }

  async #release(epoch: string): Promise<void> {
    try {
      await withRedis(this.#connection, 'release leadership', () =>
        releaseLeadership(this.#connection, this.#keys, { id: this.#options.id, epoch }),
      );
    } catch (error) {
      // The lock expires by itself.
      this.#options.target.log('leadership could not be released', { epoch, err: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    closeConnection(this.#connection);
  }
}

/** Takes part in the election only while `run` runs. */
export function createLeadership(options: LeadershipOptions): Leadership {
  return new Leadership(options);
}
