import { placeJobData } from '@berth/contracts';
import type { ModelName, PlacementJob, PlacementWorker, StepLog, StepOutcome, Term } from '@berth/core';
import { UnrecoverableError, Worker } from 'bullmq';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { redisUnavailable, within } from '../connection/errors.ts';
import { closeConnection, openConnection } from '../connection/open-connection.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys, QUEUE_NAME } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { releaseActiveJobs } from '../scripts/release-active-jobs.ts';
import { atMost, closeQueue } from './close-queue.ts';
import { addPlacement, addTending, openQueue, placementDedupId } from './placement-queue.ts';
import { QueueHandle } from './queue-handle.ts';
import { runStep } from './run-step.ts';

export interface PlacementWorkerOptions {
  readonly target: RedisTarget;
  /** A job whose worker gave no sign of life for so long is taken from it. Default 15000. */
  readonly lockMs?: number;
  /** Time between two looks for such jobs. Default 5000. */
  readonly stalledMs?: number;
}

/** A call to the queue that takes longer means that Redis is away. */
const CALL_TIMEOUT_MS = 2500;

/** The orchestrator's side of the placement queue. */
export class RedisPlacementWorker implements PlacementWorker, AsyncDisposable {
  readonly #options: PlacementWorkerOptions;
  readonly #keys: Keys;
  readonly #connection: Redis;
  readonly #queue: QueueHandle;

  constructor(options: PlacementWorkerOptions) {
    this.#options = options;
    this.#keys = createKeys(options.target.hostId);
    this.#connection = openConnection(options.target, 'registry');
    const { log } = options.target;
    this.#queue = new QueueHandle(() => openQueue(this.#connection, this.#keys, { writesSettings: true, log }));
  }

  /**
   * Also throws `LEADERSHIP_LOST` when a step met another epoch, and `REDIS_UNAVAILABLE` when the queue cannot be prepared or its worker ends. Jobs that an
   * earlier leader left half-way are taken over at once: fenced as it is, it can do nothing more with them.
   */
  async run(term: Term, step: (job: PlacementJob, log: StepLog) => Promise<StepOutcome>): Promise<void> {
    await within(CALL_TIMEOUT_MS, 'prepare the placement queue', this.#prepare());
    const connection = openConnection(this.#options.target, 'worker');
    const lost = new AbortController();
    let settled: Promise<unknown> = Promise.resolve();
    const context = {
      isOver: () => !term.isCurrent() || lost.signal.aborted,
      onLeadershipLost: (error: unknown) => lost.abort(error),
      step: (job: PlacementJob, log: StepLog) => {
        const running = step(job, log);
        settled = running.catch(() => undefined);
        return running;
      },
    };
    const worker = new Worker(QUEUE_NAME, (job: Job, token) => runStep(job, token ?? '', context), {
      connection,
      prefix: this.#keys.prefix,
      autorun: false,
      concurrency: 1,
      lockDuration: this.#options.lockMs ?? 15_000,
      stalledInterval: this.#options.stalledMs ?? 5000,
      maxStalledCount: 1000,
      runRetryDelay: 1000,
      drainDelay: 1,
    });
    worker.on('error', (error) => this.#options.target.log('placement worker failed', { err: error }));
    worker.on('failed', (job, error) => {
      // A refusal is for the waiters; anything else is a bug that somebody has to see.
      if (error instanceof UnrecoverableError) return;
      this.#options.target.log('placement job met a bug', { jobId: job?.id, job: job?.name, attempt: job?.attemptsMade, err: error });
    });
    // The job may run elsewhere by now: the term decides whether this process may go on.
    worker.on('lockRenewalFailed', (jobIds) => this.#options.target.log('job locks could not be renewed', { jobIds }));
    let over = false;
    const onEnded = (cause: unknown): void => {
      if (!over) lost.abort(redisUnavailable('run placement jobs', cause));
    };
    worker.run().then(() => onEnded(new Error('the worker ended by itself')), onEnded);
    try {
      await untilAborted(AbortSignal.any([term.signal, lost.signal]));
    } finally {
      over = true;
      // Nothing more is fetched, and the step under way settles. Noting its end needs Redis, which may be away.
      await worker.pause(true);
      await settled;
      await closeWorker(worker, connection);
    }
    lost.signal.throwIfAborted();
  }

  async promote(model: ModelName): Promise<void> {
    try {
      await within(CALL_TIMEOUT_MS, 'promote a placement', this.#promote(model));
    } catch (error) {
      // It comes back by itself within 2 s.
      this.#options.target.log('placement was not promoted', { model, err: error });
    }
  }

  async ensurePlacement(model: ModelName): Promise<void> {
    await within(CALL_TIMEOUT_MS, `take a placement job for ${model}`, addPlacement(this.#queue.current, model));
  }

  async ensureTending(): Promise<void> {
    await within(CALL_TIMEOUT_MS, 'take the tending job', addTending(this.#queue.current));
  }

  async openModels(): Promise<ReadonlySet<ModelName>> {
    const jobs = await within(
      CALL_TIMEOUT_MS,
      'list placement jobs',
      this.#queue.current.getJobs(['wait', 'active', 'delayed', 'prioritized']),
    );
    // A job that ends while the list is read leaves a hole.
    const open = jobs.filter((job: Job | undefined) => job?.name === 'place');
    return new Set(open.map((job) => placeJobData.readValue(job.data).model));
  }

  async #prepare(): Promise<void> {
    await this.#queue.current.setGlobalConcurrency(1);
    await releaseActiveJobs(this.#connection, this.#keys);
    await this.#queue.current.promoteJobs();
  }

  async #promote(model: ModelName): Promise<void> {
    const jobId = await this.#queue.current.getDeduplicationJobId(placementDedupId(model));
    if (jobId === null) return;
    const job = await this.#queue.current.getJob(jobId);
    if (job !== undefined && (await job.isDelayed())) await job.promote().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeQueue([this.#queue], [this.#connection]);
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Gives the worker 2 s to note how its job ended; then its connections are cut, and the job is taken over by whoever leads next. */
async function closeWorker(worker: Worker, connection: Redis): Promise<void> {
  await atMost(2000, worker.close());
  closeConnection(connection);
  await atMost(500, worker.close(true));
}

/** Opens the orchestrator's side of the placement queue; no job runs before `run`. */
export function createPlacementWorker(options: PlacementWorkerOptions): RedisPlacementWorker {
  return new RedisPlacementWorker(options);
}
