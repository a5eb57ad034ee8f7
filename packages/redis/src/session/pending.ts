import type { AcquireAnswer, ModelName } from '@berth/core';
import type { Waiter } from './waiters.ts';

/** A call that the next sync answers. */
export interface Pending<Answer> {
  readonly promise: Promise<Answer>;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export type JoinAnswer = 'joined' | 'model-full' | 'full';

/** What callers wait for until the next sync: leases by model (one round trip for all callers), and admissions one by one. */
export class PendingCalls {
  readonly leases = new Map<ModelName, Pending<AcquireAnswer>>();
  readonly joins = new Map<Waiter, Pending<JoinAnswer>>();

  wantLease(model: ModelName): Promise<AcquireAnswer> {
    const waiting = this.leases.get(model);
    if (waiting !== undefined) return waiting.promise;
    const pending = createPending<AcquireAnswer>();
    this.leases.set(model, pending);
    return pending.promise;
  }

  wantJoin(waiter: Waiter): Promise<JoinAnswer> {
    const pending = createPending<JoinAnswer>();
    this.joins.set(waiter, pending);
    return pending.promise;
  }

  /** Redis is away: nobody waits for the next try. */
  rejectAll(error: unknown): void {
    const all = [...this.leases.values(), ...this.joins.values()];
    this.leases.clear();
    this.joins.clear();
    for (const pending of all) pending.reject(error);
  }
}

function createPending<Answer>(): Pending<Answer> {
  const pending = Promise.withResolvers<Answer>();
  // A caller that gave up meanwhile must not leave an unhandled rejection.
  pending.promise.catch(() => undefined);
  return pending;
}
