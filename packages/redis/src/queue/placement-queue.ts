import { placeJobData } from '@berth/contracts';
import type { ModelName } from '@berth/core';
import { Queue } from 'bullmq';
import type { Job, JobsOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { RedisLog } from '../connection/target.ts';
import type { Keys } from '../keys.ts';
import { QUEUE_NAME } from '../keys.ts';

/** Events kept for waiters that reconnect: about five per job. */
const EVENTS_KEPT = 10_000;

/**
 * Options of every placement job. Finished jobs are kept by age: a waiter that looks late still finds its result, which it would not with
 * removal on completion (2 to 16 % of waiters were lost in a race, BullMQ 6.7.0, measured).
 */
const jobOptions = {
  attempts: 5,
  backoff: { type: 'fixed', delay: 1000 },
  removeOnComplete: { age: 3600, count: 1000 },
  // Counts all failed jobs of the queue, whatever their kind.
  removeOnFail: { age: 604_800, count: 1000 },
  keepLogs: 200,
} as const satisfies JobsOptions;

/** One live job per model, however many ask: simple mode, which frees the id in the step that finishes the job. */
export function placementDedupId(model: ModelName): string {
  return `place:${model}`;
}

/** The queue of one GPU host on a connection of its caller's. Only the orchestrator's writes the queue's own settings. */
export function openQueue(connection: Redis, keys: Keys, options: { readonly writesSettings: boolean; readonly log: RedisLog }): Queue {
  const queue = new Queue(QUEUE_NAME, {
    connection,
    prefix: keys.prefix,
    skipMetasUpdate: !options.writesSettings,
    streams: { events: { maxLen: EVENTS_KEPT } },
  });
  queue.on('error', (error) => options.log('placement queue failed', { err: error }));
  return queue;
}

/** Adds the model's job, or finds the one there is: its id is returned either way. */
export async function addPlacement(queue: Queue, model: ModelName): Promise<string> {
  const job: Job = await queue.add('place', JSON.parse(placeJobData.write({ model })), {
    ...jobOptions,
    deduplication: { id: placementDedupId(model) },
  });
  return job.id ?? '';
}

/** Adds the one tending job unless it is there. Nobody waits for it, so it leaves nothing behind. */
export async function addTending(queue: Queue): Promise<void> {
  await queue.add('tend', { version: 1 }, { ...jobOptions, attempts: 1, deduplication: { id: 'tend' }, removeOnComplete: true });
}
