import type { Generation, ModelName } from '../ids.ts';
import type { FailureShape } from '../errors.ts';
import type { Term } from './leadership.ts';

/** What one short step of a job ends with. */
export type StepOutcome =
  | { readonly kind: 'ready'; readonly generation: Generation }
  | { readonly kind: 'abandoned' }
  /** Comes back after at most `delayMs` (2 s at most), earlier when promoted. Uses up no attempt. */
  | { readonly kind: 'later'; readonly delayMs: number }
  /** Every waiter of the job gets this. */
  | { readonly kind: 'failed'; readonly failure: FailureShape };

export type PlacementJob =
  | { readonly kind: 'place'; readonly model: ModelName; readonly jobId: string }
  | { readonly kind: 'tend'; readonly jobId: string };

/** A job's log, for people; rows are kept with the job. */
export type StepLog = (row: string) => Promise<void>;

/**
 * The orchestrator's side of the queue: one worker with concurrency 1 for the whole GPU host, that runs only while this process leads.
 * `place` jobs carry a model; the one `tend` job looks after endpoints that no job cares for (idle stops, adoption, crashes).
 */
export interface PlacementWorker {
  /** Runs steps until the term ends; resolves when the step under way has settled. */
  run(term: Term, step: (job: PlacementJob, log: StepLog) => Promise<StepOutcome>): Promise<void>;
  /** Makes a waiting `place` job run now. A failed promotion means nothing. */
  promote(model: ModelName): Promise<void>;
  /** Adds the model's job unless there is one. */
  ensurePlacement(model: ModelName): Promise<void>;
  /** Adds the tending job unless one waits. */
  ensureTending(): Promise<void>;
  /** Models that have a job. */
  openModels(): Promise<ReadonlySet<ModelName>>;
}
