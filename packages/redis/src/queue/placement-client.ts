import type { ModelName, PlacementClient, PlacementOutcome } from '@berth/core';
import { QueueEvents } from 'bullmq';
import type { Redis } from 'ioredis';
import { within } from '../connection/errors.ts';
import { openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys, QUEUE_NAME } from '../keys.ts';
import { closeQueue } from './close-queue.ts';
import { JobWaiter } from './job-waiter.ts';
import { addPlacement, openQueue } from './placement-queue.ts';
import { QueueHandle } from './queue-handle.ts';

export interface PlacementClientOptions {
  readonly target: RedisTarget;
  /** Time between two looks at a job whose end may have been missed. Default 5000. */
  readonly pollMs?: number;
}

/** Adding a job takes under 2 ms (BullMQ 6.7.0, measured); longer means that Redis is away. */
const ADD_TIMEOUT_MS = 1500;

/** The edge's side of the placement queue. All callers for one model share one job and one wait. */
export class RedisPlacementClient implements PlacementClient, AsyncDisposable {
  readonly #queueConnection: Redis;
  readonly #eventsConnection: Redis;
  readonly #queue: QueueHandle;
  readonly #events: QueueEvents;
  readonly #waiter: JobWaiter;
  readonly #placing = new Map<ModelName, Promise<PlacementOutcome>>();

  constructor(options: PlacementClientOptions) {
    const { target } = options;
    const keys = createKeys(target.hostId);
    this.#queueConnection = openConnection(target, 'edge-queue');
    this.#eventsConnection = openConnection(target, 'subscriber');
    this.#queue = new QueueHandle(() => openQueue(this.#queueConnection, keys, { writesSettings: false, log: target.log }));
    this.#events = new QueueEvents(QUEUE_NAME, { connection: this.#eventsConnection, prefix: keys.prefix });
    this.#events.on('error', (error) => target.log('placement events failed', { err: error }));
    this.#waiter = new JobWaiter(this.#queue, this.#events, { pollMs: options.pollMs ?? 5000 });
  }

  async place(model: ModelName, { signal }: { readonly signal: AbortSignal }): Promise<PlacementOutcome> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([this.#share(model), aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #share(model: ModelName): Promise<PlacementOutcome> {
    const placing = this.#placing.get(model);
    if (placing !== undefined) return placing;
    const started = this.#place(model).finally(() => this.#placing.delete(model));
    // Every caller may have given up when it fails.
    started.catch(() => undefined);
    this.#placing.set(model, started);
    return started;
  }

  async #place(model: ModelName): Promise<PlacementOutcome> {
    for (;;) {
      const jobId = await within(ADD_TIMEOUT_MS, `take a placement job for ${model}`, addPlacement(this.#queue.current, model));
      const end = await this.#waiter.wait(jobId);
      if (end.kind === 'completed') return end.outcome;
      if (end.kind === 'failed') throw end.error;
      // Redis lost the job with its data; the models that wait ask again.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiter[Symbol.dispose]();
    await closeQueue([this.#queue, this.#events], [this.#queueConnection, this.#eventsConnection]);
  }
}

/** Opens the edge's side of the placement queue; connects in the background. */
export function createPlacementClient(options: PlacementClientOptions): RedisPlacementClient {
  return new RedisPlacementClient(options);
}
