import { OperationalError } from '../errors.ts';
import type { Endpoint, EndpointBase, GoneEndpoint, ServingFields } from './endpoint.ts';
import type { EndpointAfter, EndpointEvent, EndpointEventKind, StateChange } from './endpoint-event.ts';
import { mayStop } from './lease-check.ts';

/**
 * The only writer of endpoint states.
 *
 * | state    | what holds                                                             | leaves on                | to       |
 * |----------|------------------------------------------------------------------------|--------------------------|----------|
 * | starting | memory reserved; no URL; no lease can exist                            | ready-proved             | ready    |
 * |          |                                                                        | stop-begun (load, exit, operator) | stopping |
 * | ready    | answered a real request and was measured; edges may take leases        | drain-begun              | draining |
 * |          |                                                                        | stop-begun (exited, operator) | stopping |
 * | draining | no new lease is granted; those held run on                             | drain-called-off         | ready    |
 * |          |                                                                        | stop-begun (no lease lives, or exited, or forced) | stopping |
 * | stopping | irreversible; memory still charged                                     | memory-released (after its exit was seen) | gone |
 *
 * Without leaving a state: engine-created, engine-started, phase-seen (starting), remeasured (ready, draining), drain-begun (draining:
 * the drain changes hands, but never away from an operator), exit-seen (stopping). Repeating an event of this kind changes nothing, so
 * that a step can be repeated after a crash.
 *
 * Throws `STALE_STATE` for whatever the table does not list: the caller acts on an old view and reads again.
 */
export function transition<Kind extends EndpointEventKind>(endpoint: Endpoint, event: EndpointEvent<Kind>): EndpointAfter[Kind] {
  const rule: Rule<Kind> = RULES[event.kind];
  const next = rule(endpoint, event);
  if (next === null) throw staleState(endpoint, event.kind);
  return next;
}

/** The change as a value for the log; `null` when the event left the state as it was. */
export function stateChange(before: Endpoint, event: EndpointEvent, after: Endpoint | GoneEndpoint): StateChange | null {
  if (before.state === after.state) return null;
  const reason = 'reason' in event ? event.reason : null;
  return { generation: before.generation, model: before.model, event: event.kind, from: before.state, to: after.state, reason };
}

type Rule<Kind extends EndpointEventKind> = (endpoint: Endpoint, event: EndpointEvent<Kind>) => EndpointAfter[Kind] | null;

const RULES: { readonly [Kind in EndpointEventKind]: Rule<Kind> } = {
  'engine-created': (endpoint, { handle }) =>
    endpoint.state === 'starting' && (endpoint.handle === null || endpoint.handle === handle) ? { ...endpoint, handle } : null,

  'engine-started': (endpoint, { atMs, usedBefore }) =>
    endpoint.state === 'starting' && endpoint.handle !== null
      ? { ...endpoint, startedAtMs: endpoint.startedAtMs ?? atMs, usedBefore: usedBefore ?? endpoint.usedBefore }
      : null,

  'phase-seen': (endpoint, { phase }) => (endpoint.state === 'starting' ? { ...endpoint, phase } : null),

  'ready-proved': (endpoint, { urls, atMs, loadMs, processIds, measured, allocations, maxModelLen }) =>
    endpoint.state === 'starting' && endpoint.startedAtMs !== null
      ? {
          ...baseOf(endpoint),
          state: 'ready',
          allocations,
          urls,
          readyAtMs: atMs,
          loadMs,
          processIds,
          measured,
          maxModelLen,
          sparedUntilMs: null,
        }
      : null,

  'drain-begun': (endpoint, { reason, claimedBy, atMs }) => {
    if (endpoint.state === 'draining') {
      return endpoint.reason === 'operator' && reason !== 'operator' ? null : { ...endpoint, reason, claimedBy };
    }
    if (endpoint.state !== 'ready') return null;
    return { ...baseOf(endpoint), ...servingOf(endpoint), state: 'draining', reason, claimedBy, drainingSinceMs: atMs };
  },

  'drain-called-off': (endpoint, { sparedUntilMs }) =>
    endpoint.state === 'draining' ? { ...baseOf(endpoint), ...servingOf(endpoint), state: 'ready', sparedUntilMs } : null,

  remeasured: (endpoint, { measured, allocations }) =>
    endpoint.state === 'ready' || endpoint.state === 'draining' ? { ...endpoint, measured, allocations } : null,

  'stop-begun': (endpoint, { reason, atMs, kill, failure }) => {
    if (!mayStop(endpoint, reason)) return null;
    const serving = endpoint.state === 'ready' || endpoint.state === 'draining' ? endpoint : null;
    return {
      ...baseOf(endpoint),
      state: 'stopping',
      reason,
      failure,
      kill,
      stoppingSinceMs: atMs,
      exitedAtMs: null,
      urls: serving?.urls ?? null,
      processIds: serving?.processIds ?? [],
    };
  },

  'exit-seen': (endpoint, { atMs }) => (endpoint.state === 'stopping' ? { ...endpoint, exitedAtMs: endpoint.exitedAtMs ?? atMs } : null),

  // An engine that was never created has no exit to be seen.
  'memory-released': (endpoint) =>
    endpoint.state === 'stopping' && (endpoint.exitedAtMs !== null || endpoint.handle === null)
      ? { state: 'gone', generation: endpoint.generation, model: endpoint.model }
      : null,
};

/** Fields of every state, without those of the state that is left. */
function baseOf(endpoint: Endpoint): EndpointBase {
  const { generation, model, signature, imageId, hasCounter, containerName, handle } = endpoint;
  const { allocations, servedNames, createdAtMs, kvCacheBytes } = endpoint;
  return {
    generation,
    model,
    signature,
    imageId,
    hasCounter,
    containerName,
    handle,
    allocations,
    servedNames,
    createdAtMs,
    kvCacheBytes,
  };
}

function servingOf(endpoint: ServingFields): ServingFields {
  const { urls, readyAtMs, loadMs, processIds, measured, maxModelLen, sparedUntilMs } = endpoint;
  return { urls, readyAtMs, loadMs, processIds, measured, maxModelLen, sparedUntilMs };
}

function staleState(endpoint: Endpoint, event: EndpointEventKind): OperationalError {
  return new OperationalError({
    code: 'STALE_STATE',
    message: `Endpoint ${endpoint.generation} of ${endpoint.model} is ${endpoint.state}, where ${event} cannot happen; read the registry again and plan anew.`,
    retryable: true,
    details: { generation: endpoint.generation, model: endpoint.model, state: endpoint.state, event },
  });
}
