import type { Endpoint, Generation, RetireReason, StopRequest } from '@berth/core';
import { changeEndpoint } from '../advance/change-endpoint.ts';
import { remeasureNeighbours } from '../learn/remeasure.ts';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { withdrawClaim } from './apply-action.ts';
import type { Chore } from './tending.ts';

/** Performs one chore. What it is about may have changed since it was chosen; then it does nothing. */
export async function performChore(context: TermContext, observed: Observed, chore: Chore): Promise<void> {
  switch (chore.kind) {
    case 'drain': {
      const endpoint = find(observed, chore.generation);
      if (endpoint?.state === 'ready') await beginDrain(context, endpoint, chore.reason);
      return;
    }
    case 'call-off-drain': {
      const endpoint = find(observed, chore.generation);
      if (endpoint?.state !== 'draining') return;
      await changeEndpoint(context, endpoint, { kind: 'drain-called-off', sparedUntilMs: null });
      context.drains.forget(endpoint.generation);
      return;
    }
    case 'withdraw-claim':
      return withdrawClaim(context, observed, chore.model, null);
    case 'stop-request':
      return performStopRequest(context, observed, chore.request);
    case 'forget-quarantine':
      return context.registry.commit(context.term, { removeQuarantines: [chore.model] });
    case 'remeasure': {
      context.lastDone.remeasuredAtMs = context.clock.nowMs();
      const gpuUuids = (context.gpus.latest?.gpus ?? []).map((gpu) => gpu.uuid);
      await remeasureNeighbours(context, gpuUuids, 'after-traffic');
      return;
    }
  }
}

/** A drain that no placement claims: it ends in a stop as soon as nothing runs any more. */
async function beginDrain(context: TermContext, endpoint: Endpoint, reason: RetireReason): Promise<void> {
  await changeEndpoint(context, endpoint, { kind: 'drain-begun', reason, claimedBy: null, atMs: context.clock.nowMs() });
}

/** Ends when nothing that it names serves or starts any more. Whoever wished for it before is not served either. */
async function performStopRequest(context: TermContext, { state }: Observed, request: StopRequest): Promise<void> {
  const targets = state.endpoints.filter((endpoint) => endpoint.state !== 'stopping' && isTarget(request, endpoint));
  const removeWishes = state.wishes
    .filter(
      (wish) =>
        request.target.kind === 'all' ||
        (request.target.kind === 'model' && request.target.model === wish.model) ||
        targets.some((target) => target.model === wish.model),
    )
    .map((wish) => wish.id);
  const removeStopRequests = targets.length === 0 ? [request.id] : [];
  if (removeWishes.length + removeStopRequests.length > 0)
    await context.registry.commit(context.term, { removeWishes, removeStopRequests });
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
    await beginDrain(context, endpoint, 'operator');
  }
}

/**
 * A stop of a model means what there was of it: an endpoint placed for whoever asks while the old one drains is not stopped for that drain's
 * sake, again and again. A generation is the time of its making by Redis' clock, as is the request's.
 */
function isTarget({ target, requestedAtMs }: StopRequest, endpoint: Endpoint): boolean {
  switch (target.kind) {
    case 'all':
      return true;
    case 'model':
      return endpoint.model === target.model && Number(endpoint.generation) <= requestedAtMs;
    case 'generation':
      return endpoint.generation === target.generation;
  }
}

function find({ state }: Observed, generation: Generation): Endpoint | undefined {
  return state.endpoints.find((endpoint) => endpoint.generation === generation);
}
