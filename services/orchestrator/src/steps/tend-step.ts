import type { Endpoint, RetireReason, StepOutcome, StopRequest } from '@berth/core';
import { advanceEndpoints } from '../advance/advance-endpoints.ts';
import { changeEndpoint } from '../advance/change-endpoint.ts';
import { remeasureNeighbours } from '../learn/remeasure.ts';
import { stopOrphans } from '../reconcile.ts';
import { observe, type Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { withdrawClaim } from './apply-action.ts';
import { chores, isMoving, type Chore } from './tending.ts';

const READING_MAX_AGE_MS = 30_000;
const MOVING_MS = 400;

/**
 * Looks after endpoints that no placement cares for: drives loads on whose waiters left, ends idle, superseded and stopped endpoints, notices
 * exits, stops orphans. Comes back while anything moves.
 */
export async function tendStep(context: TermContext): Promise<StepOutcome> {
  let observed = await observe(context, { readingMaxAgeMs: READING_MAX_AGE_MS });
  if (await advanceEndpoints(context, observed)) observed = await observe(context, { readingMaxAgeMs: READING_MAX_AGE_MS });
  for (const chore of chores(context, observed)) await perform(context, observed, chore);
  await stopOrphans(context);
  const after = await observe(context, { readingMaxAgeMs: READING_MAX_AGE_MS });
  return isMoving(after) || chores(context, after).length > 0 ? { kind: 'later', delayMs: MOVING_MS } : { kind: 'abandoned' };
}

async function perform(context: TermContext, observed: Observed, chore: Chore): Promise<void> {
  switch (chore.kind) {
    case 'drain':
      await drain(context, chore.endpoint, chore.reason);
      return;
    case 'call-off-drain':
      await changeEndpoint(context, chore.endpoint, { kind: 'drain-called-off', sparedUntilMs: null });
      context.drains.forget(chore.endpoint.generation);
      return;
    case 'withdraw-claim':
      return withdrawClaim(context, observed, chore.model, null);
    case 'stop-request':
      return performStopRequest(context, observed, chore.request);
    case 'forget-quarantine':
      return context.registry.commit(context.term, { removeQuarantines: [chore.model] });
    case 'remeasure':
      await remeasureNeighbours(
        context,
        (context.gpus.latest?.gpus ?? []).map((gpu) => gpu.uuid),
        'after-traffic',
      );
      return;
  }
}

async function drain(context: TermContext, endpoint: Endpoint, reason: RetireReason): Promise<void> {
  const claimedBy = endpoint.state === 'draining' ? endpoint.claimedBy : null;
  await changeEndpoint(context, endpoint, { kind: 'drain-begun', reason, claimedBy, atMs: context.clock.nowMs() });
}

/** Ends when nothing that it names serves or starts any more. */
async function performStopRequest(context: TermContext, { state }: Observed, request: StopRequest): Promise<void> {
  const targets = state.endpoints.filter((endpoint) => endpoint.state !== 'stopping' && isTarget(request, endpoint));
  if (targets.length === 0) {
    await context.registry.commit(context.term, { removeStopRequests: [request.id] });
    return;
  }
  const wishes = state.wishes.filter((wish) => targets.some((target) => target.model === wish.model)).map((wish) => wish.id);
  if (wishes.length > 0) await context.registry.commit(context.term, { removeWishes: wishes });
  const overdue = request.deadlineMs !== null && state.nowMs - request.requestedAtMs >= request.deadlineMs;
  for (const target of targets) await stopByOperator(context, target, request.force || overdue);
}

async function stopByOperator(context: TermContext, endpoint: Endpoint, forced: boolean): Promise<void> {
  const atMs = context.clock.nowMs();
  if (forced || endpoint.state === 'starting') {
    const kill = endpoint.state === 'starting';
    context.loads.forget(endpoint.generation);
    context.drains.forget(endpoint.generation);
    await changeEndpoint(context, endpoint, { kind: 'stop-begun', reason: 'operator', atMs, kill, failure: null, forced: true });
  } else if (endpoint.state !== 'draining' || endpoint.reason !== 'operator') {
    await drain(context, endpoint, 'operator');
  }
}

function isTarget({ target }: StopRequest, endpoint: Endpoint): boolean {
  switch (target.kind) {
    case 'all':
      return true;
    case 'model':
      return endpoint.model === target.model;
    case 'generation':
      return endpoint.generation === target.generation;
  }
}
