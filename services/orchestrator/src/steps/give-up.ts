import type { FailureShape, ModelName, StepOutcome } from '@berth/core';
import { wishIdsOf } from '../snapshot/demand.ts';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { withdrawClaim } from './apply-action.ts';

/** Failed for good: nothing is held or wished for any more. */
export async function giveUp(context: TermContext, observed: Observed, model: ModelName, failure: FailureShape): Promise<StepOutcome> {
  await dropClaim(context, observed, model);
  await dropWishes(context, observed, model);
  return failed(failure);
}

/** Withdraws the claim of a placement that does not go on, if it holds one. */
export async function dropClaim(context: TermContext, observed: Observed, model: ModelName): Promise<void> {
  if (observed.state.claims.some((claim) => claim.model === model)) await withdrawClaim(context, observed, model, null);
}

/** Ends every wish for a model. */
export async function dropWishes(context: TermContext, { state }: Observed, model: ModelName): Promise<void> {
  const removeWishes = wishIdsOf(state, model);
  if (removeWishes.length > 0) await context.registry.commit(context.term, { removeWishes });
}

/** What every waiter of the job gets. */
export function failed(failure: FailureShape): StepOutcome {
  return { kind: 'failed', failure };
}
