import type { Endpoint } from '@berth/core';
import { isOperationalError } from '@berth/core';
import { findQuarantine, quarantineAfterLoad } from '../learn/quarantine.ts';
import { wishIdsOf } from '../snapshot/demand.ts';
import { withFreshState, type Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { advanceServing } from './advance-serving.ts';
import { advanceStarting } from './advance-starting.ts';
import { advanceStopping } from './advance-stopping.ts';
import { changeEndpoint } from './change-endpoint.ts';

/** A load that meets a bug of ours so often in a row is given up: its memory must not be held for ever. */
const BUGS_BORNE = 10;

/**
 * Moves every endpoint on that has something to move on for: at most one change each, none of which waits. True when anything changed,
 * so that what was observed is out of date.
 *
 * A dependency that fails leaves its endpoint where it is, and so does a bug: the others move on, and the next step tries again. Throws
 * `STALE_STATE`, `LEADERSHIP_LOST`, `REDIS_UNAVAILABLE`.
 */
export async function advanceEndpoints(context: TermContext, observed: Observed): Promise<boolean> {
  let changed = false;
  let seen = observed;
  for (const { generation } of observed.state.endpoints) {
    // A step about one endpoint may have changed another: its neighbours were measured again.
    const endpoint = seen.state.endpoints.find((one) => one.generation === generation);
    if (endpoint === undefined || !(await advanceSafely(context, seen, endpoint))) continue;
    changed = true;
    seen = await withFreshState(context, seen);
  }
  return changed;
}

async function advanceSafely(context: TermContext, observed: Observed, endpoint: Endpoint): Promise<boolean> {
  try {
    const changed = await advance(context, observed, endpoint);
    context.bugs.delete(endpoint.generation);
    return changed;
  } catch (error) {
    if (isOperationalError(error, 'STALE_STATE', 'LEADERSHIP_LOST', 'REDIS_UNAVAILABLE')) throw error;
    const fields = { err: error, model: endpoint.model, generation: endpoint.generation, state: endpoint.state };
    if (isOperationalError(error)) {
      context.log.warn(fields, 'endpoint step failed');
      return false;
    }
    context.log.error(fields, 'endpoint step met a bug');
    return bearBug(context, endpoint, error);
  }
}

async function bearBug(context: TermContext, endpoint: Endpoint, error: unknown): Promise<boolean> {
  const bugs = (context.bugs.get(endpoint.generation) ?? 0) + 1;
  context.bugs.set(endpoint.generation, bugs);
  if (endpoint.state !== 'starting' || bugs < BUGS_BORNE) return false;
  const nowMs = context.clock.nowMs();
  const message = `${endpoint.model} did not start: Berth met a bug of its own (${error instanceof Error ? error.message : String(error)}). The orchestrator's log has its stack.`;
  const failure = { code: 'ENGINE_START_FAILED', message, retryable: true } as const;
  const state = await context.registry.read();
  const quarantine = quarantineAfterLoad(context, findQuarantine(state, endpoint.model), { model: endpoint.model, failure, nowMs });
  const removeWishes = wishIdsOf(state, endpoint.model);
  await changeEndpoint(
    context,
    endpoint,
    { kind: 'stop-begun', reason: 'loadFailed', atMs: nowMs, kill: true, failure },
    { putQuarantines: [quarantine], removeWishes },
  );
  return true;
}

async function advance(context: TermContext, observed: Observed, endpoint: Endpoint): Promise<boolean> {
  switch (endpoint.state) {
    case 'starting':
      return advanceStarting(context, observed, endpoint);
    case 'ready':
    case 'draining':
      return advanceServing(context, endpoint);
    case 'stopping':
      return advanceStopping(context, observed, endpoint);
  }
}
