import type { StepOutcome } from '@berth/core';
import { isOperationalError } from '@berth/core';
import { advanceEndpoints } from '../advance/advance-endpoints.ts';
import { stopOrphans } from '../reconcile.ts';
import { observe, withFreshState, type Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { performChore } from './perform-chore.ts';
import { reportUnaskedLoads } from './placement-status.ts';
import { chores, isMoving } from './tending.ts';

const READING_MAX_AGE_MS = 30_000;
const MOVING_MS = 400;

/**
 * Looks after endpoints that no placement cares for: drives loads on whose waiters left, ends idle, superseded and stopped endpoints, notices
 * exits, stops orphans. Comes back while anything moves.
 */
export async function tendStep(context: TermContext): Promise<StepOutcome> {
  let observed = await observe(context, { readingMaxAgeMs: READING_MAX_AGE_MS });
  forgetStrangers(context, observed);
  if (await advanceEndpoints(context, observed)) observed = await withFreshState(context, observed);
  for (const chore of chores(context, observed)) {
    try {
      await performChore(context, observed, chore);
    } catch (error) {
      if (isOperationalError(error)) throw error;
      context.log.error({ err: error, chore: chore.kind }, 'tending met a bug');
    }
    // One chore may have changed what the next one is about.
    observed = await withFreshState(context, observed);
  }
  await reportUnaskedLoads(context, observed);
  await stopOrphans(context);
  return isMoving(observed) || chores(context, observed).length > 0 ? { kind: 'later', delayMs: MOVING_MS } : { kind: 'abandoned' };
}

/** Notices about engines that no record names (orphans, what is gone already) ask for nothing. */
function forgetStrangers({ exits }: TermContext, { state }: Observed): void {
  const known = new Set(state.endpoints.map((endpoint) => endpoint.handle));
  for (const handle of exits.handles()) if (!known.has(handle)) exits.clear(handle);
}
