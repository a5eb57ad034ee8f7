import type { Endpoint, EndpointState, RetireReason } from './endpoint.ts';

/** Why an endpoint may be stopped, by where it is. Only from `draining` does a stop wait until no lease on it lives. */
const STOP_REASONS: Readonly<Record<EndpointState, readonly RetireReason[]>> = {
  /** Nothing was ever leased on it. */
  starting: ['loadFailed', 'loadTimedOut', 'cancelled', 'exited', 'operator'],
  /** Its process is dead, or an operator forces it. */
  ready: ['exited', 'operator'],
  draining: ['evicted', 'idle', 'operator', 'superseded', 'overBudget', 'exited'],
  stopping: [],
  gone: [],
};

/** Whether an endpoint may be stopped for this reason from where it is. */
export function mayStop(endpoint: Endpoint, reason: RetireReason): boolean {
  return STOP_REASONS[endpoint.state].includes(reason);
}

/**
 * Whether the step to `stopping` has to be one script with the check that no edge replica holds a lease (`EndpointRegistry.stopDrained`).
 * It is always so from `draining`, unless the process is dead or an operator's force or deadline says otherwise.
 */
export function needsLeaseCheck(endpoint: Endpoint, stop: { readonly reason: RetireReason; readonly forced?: boolean }): boolean {
  if (endpoint.state !== 'draining' || stop.reason === 'exited') return false;
  return !(stop.reason === 'operator' && stop.forced === true);
}
