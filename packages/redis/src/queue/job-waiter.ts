import { jobFailure, placeJobResult } from '@berth/contracts';
import { OperationalError } from '@berth/core';
import type { PlacementOutcome } from '@berth/core';
import type { QueueEvents } from 'bullmq';
import { redisUnavailable } from '../connection/errors.ts';
import type { QueueHandle } from './queue-handle.ts';

/** How a job ended. `lost`: Redis does not know it any more. */
export type JobEnd =
  | { readonly kind: 'completed'; readonly outcome: PlacementOutcome }
  | { readonly kind: 'failed'; readonly error: OperationalError }
  | { readonly kind: 'lost' };

/**
 * Waits for jobs: one entry per job, settled by the queue's events. Events can be lost (an idle listener that is cut off, a trimmed stream,
 * lost data; BullMQ 6.7.0, measured), so each job is also looked up at once and every `pollMs`.
 */
export class JobWaiter implements Disposable {
  readonly #queue: QueueHandle;
  readonly #waiting = new Map<string, PromiseWithResolvers<JobEnd>>();
  readonly #timer: NodeJS.Timeout;

  constructor(queue: QueueHandle, events: QueueEvents, options: { readonly pollMs: number }) {
    this.#queue = queue;
    events.on('completed', ({ jobId, returnvalue }) => this.#settle(jobId, () => completed(returnvalue)));
    events.on('failed', ({ jobId, failedReason }) => this.#settle(jobId, () => failed(failedReason)));
    this.#timer = setInterval(() => {
      for (const jobId of this.#waiting.keys()) void this.#lookUp(jobId);
    }, options.pollMs);
  }

  wait(jobId: string): Promise<JobEnd> {
    const waiting = this.#waiting.get(jobId);
    if (waiting !== undefined) return waiting.promise;
    const entry = Promise.withResolvers<JobEnd>();
    this.#waiting.set(jobId, entry);
    void this.#lookUp(jobId);
    return entry.promise;
  }

  /** Whoever still waits is told that nobody listens any more. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const entry of waiting) entry.reject(redisUnavailable('tell the end of a placement', new Error('this process is shutting down')));
  }

  #settle(jobId: string, end: () => JobEnd): void {
    const entry = this.#waiting.get(jobId);
    if (entry === undefined) return;
    this.#waiting.delete(jobId);
    try {
      entry.resolve(end());
    } catch (error) {
      entry.reject(error);
    }
  }

  async #lookUp(jobId: string): Promise<void> {
    try {
      const before = await this.#queue.current.getJob(jobId);
      const state = before === undefined ? 'unknown' : await before.getState();
      if (state === 'unknown') return this.#settle(jobId, () => ({ kind: 'lost' }));
      if (state !== 'completed' && state !== 'failed') return;
      // What was read first may be older than its end.
      const job = await this.#queue.current.getJob(jobId);
      if (job === undefined) return;
      this.#settle(jobId, () => (state === 'completed' ? completed(job.returnvalue) : failed(job.failedReason ?? '')));
    } catch {
      // Redis is away: the next look decides.
    }
  }
}

function completed(value: unknown): JobEnd {
  return { kind: 'completed', outcome: placeJobResult.readValue(parseIfText(value)) };
}

function failed(reason: string): JobEnd {
  try {
    return { kind: 'failed', error: new OperationalError(jobFailure.read(reason)) };
  } catch {
    const message = `The placement failed unexpectedly: ${reason}. The orchestrator's log tells more.`;
    return { kind: 'failed', error: new OperationalError({ code: 'ORCHESTRATOR_UNAVAILABLE', message, retryable: true }) };
  }
}

/** An event carries the value, a stored job too; either may be text, as it was returned. */
function parseIfText(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
