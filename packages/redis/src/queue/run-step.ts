import { jobFailure, placeJobData, placeJobResult } from '@berth/contracts';
import { isOperationalError } from '@berth/core';
import type { PlacementJob, StepLog, StepOutcome } from '@berth/core';
import { DelayedError, UnrecoverableError } from 'bullmq';
import type { Job } from 'bullmq';
import { atMost } from './close-queue.ts';

/** The most a step delays itself: a delayed job comes back behind younger ones, and a promotion may miss it. */
const MOST_DELAY_MS = 2000;
/** A plan that was stale so often in a row lets others go first. */
const STALE_RETRIES = 5;
/** How long a job waits for a dependency that fails. */
const DEPENDENCY_DELAY_MS = 1000;

export interface StepContext {
  /** True once the run is over: no step begins any more. */
  readonly isOver: () => boolean;
  readonly step: (job: PlacementJob, log: StepLog) => Promise<StepOutcome>;
  /** Called when another orchestrator turns out to lead. */
  readonly onLeadershipLost: (error: unknown) => void;
}

/**
 * Runs one step of a BullMQ job and ends it as BullMQ wants it ended: with a result, with an error that every waiter gets, or delayed, which
 * uses up no attempt. A dependency that fails and a term that is over delay the job; an error that is no `OperationalError` is a bug, is
 * thrown as it is, and uses up one of the job's attempts.
 */
export async function runStep(job: Job, token: string, context: StepContext): Promise<unknown> {
  const placement = readJob(job);
  const log: StepLog = async (row) => {
    // The log is for people; a step neither fails with it nor waits long for it.
    await atMost(
      1000,
      job.log(row).catch(() => undefined),
    );
  };
  for (let tries = 0; ; tries += 1) {
    if (context.isOver()) return delay(job, token, 0);
    try {
      const outcome = await context.step(placement, log);
      if (outcome.kind === 'later') return await delay(job, token, Math.min(Math.max(outcome.delayMs, 0), MOST_DELAY_MS));
      if (outcome.kind === 'failed') throw new UnrecoverableError(jobFailure.write(outcome.failure));
      return JSON.parse(placeJobResult.write(outcome));
    } catch (error) {
      if (!isOperationalError(error)) throw error;
      if (error.code === 'STALE_STATE' && tries < STALE_RETRIES) continue;
      if (error.code === 'LEADERSHIP_LOST') {
        context.onLeadershipLost(error);
        return await delay(job, token, 0);
      }
      if (error.code === 'STALE_STATE' || delaysAStep(error.code, error.retryable)) {
        await log(`step delayed: ${error.code}: ${error.message}`);
        return await delay(job, token, DEPENDENCY_DELAY_MS);
      }
      throw new UnrecoverableError(jobFailure.write(error.toShape()));
    }
  }
}

/** A dependency's failure says nothing about the placement: it goes on when the dependency is back. */
function delaysAStep(code: string, retryable: boolean): boolean {
  if (code === 'REDIS_UNAVAILABLE' || code === 'DOCKER_UNAVAILABLE') return true;
  return code === 'GPU_PROBE_FAILED' && retryable;
}

async function delay(job: Job, token: string, delayMs: number): Promise<never> {
  await job.moveToDelayed(Date.now() + delayMs, token);
  throw new DelayedError();
}

function readJob(job: Job): PlacementJob {
  const jobId = job.id ?? '';
  if (job.name === 'tend') return { kind: 'tend', jobId };
  try {
    return { kind: 'place', model: placeJobData.readValue(job.data).model, jobId };
  } catch (error) {
    if (isOperationalError(error)) throw new UnrecoverableError(jobFailure.write(error.toShape()));
    throw error;
  }
}
