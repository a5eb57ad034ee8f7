import type { Endpoint } from '@berth/core';
import { isOperationalError } from '@berth/core';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { advanceServing } from './advance-serving.ts';
import { advanceStarting } from './advance-starting.ts';
import { advanceStopping } from './advance-stopping.ts';

/**
 * Moves every endpoint on that has something to move on for: at most one change each, none of which waits. True when anything changed,
 * so that what was observed is out of date.
 *
 * A dependency that fails leaves its endpoint where it is; the next step tries again. Throws `STALE_STATE` and `LEADERSHIP_LOST`.
 */
export async function advanceEndpoints(context: TermContext, observed: Observed): Promise<boolean> {
  let changed = false;
  for (const endpoint of observed.state.endpoints) {
    try {
      if (await advance(context, observed, endpoint)) changed = true;
    } catch (error) {
      if (!isOperationalError(error, 'DOCKER_UNAVAILABLE', 'GPU_PROBE_FAILED', 'ENGINE_UNRESPONSIVE')) throw error;
      context.log.warn(
        { err: error, model: endpoint.model, generation: endpoint.generation, state: endpoint.state },
        'endpoint step failed',
      );
    }
  }
  return changed;
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
