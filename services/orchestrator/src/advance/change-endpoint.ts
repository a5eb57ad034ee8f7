import type { Endpoint, EndpointEvent, RegistryChange } from '@berth/core';
import { needsLeaseCheck, OperationalError, stateChange, transition } from '@berth/core';
import type { TermContext } from '../term/term-context.ts';

/**
 * Applies one event to an endpoint and commits it together with what else changes, expecting the endpoint still to be in the state it was
 * read in. Returns the endpoint as it is now. Throws `STALE_STATE`, `LEADERSHIP_LOST`, `REDIS_UNAVAILABLE`.
 */
export async function changeEndpoint<Event extends EndpointEvent>(
  context: TermContext,
  endpoint: Endpoint,
  event: Event,
  also: Omit<RegistryChange, 'expect' | 'putEndpoints'> = {},
): Promise<Endpoint> {
  // A drained endpoint is stopped by `stopDrained` alone, which looks for leases in the same script.
  if (event.kind === 'stop-begun' && needsLeaseCheck(endpoint, event)) throw new RangeError(`${endpoint.generation} may still be leased.`);
  const next = transition(endpoint, event);
  if (next.state === 'gone') {
    throw new OperationalError({ code: 'STALE_STATE', message: `Endpoint ${endpoint.generation} is gone already.`, retryable: true });
  }
  await context.registry.commit(context.term, {
    ...also,
    expect: [{ generation: endpoint.generation, state: endpoint.state }],
    putEndpoints: [next],
  });
  logChange(context, endpoint, next, stateChange(endpoint, event, next)?.reason ?? event.kind);
  return next;
}

/** One line per lifecycle change that is written, and its place in the metrics. */
export function logChange(
  context: Pick<TermContext, 'log' | 'metrics'>,
  from: Endpoint,
  to: Endpoint | { readonly state: 'ready' | 'gone' },
  reason: string,
): void {
  context.metrics.endpointChanged(from, to);
  const level = from.state === to.state ? 'debug' : 'info';
  context.log[level](
    { model: from.model, generation: from.generation, containerName: from.containerName, from: from.state, to: to.state, reason },
    'endpoint changed',
  );
}
