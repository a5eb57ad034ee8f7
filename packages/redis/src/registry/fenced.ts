import { OperationalError } from '@berth/core';
import type { Generation, Term } from '@berth/core';

/** Refuses a write of a term that is over before it is sent. Throws `LEADERSHIP_LOST`. */
export function assertCurrent(term: Term): void {
  if (!term.isCurrent()) throw leadershipLost(term.epoch, 'unknown');
}

/** What a fenced write ends with when another epoch rules. */
export function leadershipLost(epoch: string, ruling: string): OperationalError {
  return new OperationalError({
    code: 'LEADERSHIP_LOST',
    message: `This orchestrator's term (epoch ${epoch}) is over; ${ruling === '' ? 'no epoch' : `epoch ${ruling}`} rules now. Nothing was written.`,
    retryable: true,
    details: { epoch, ruling },
  });
}

/** What a write ends with when an endpoint is not in the state that it expects. */
export function staleState(generation: Generation | string, seen: string): OperationalError {
  return new OperationalError({
    code: 'STALE_STATE',
    message: `Endpoint ${generation} is ${seen === '' ? 'not registered' : `in state ${seen}`}, which was not expected. Nothing was written; read again.`,
    retryable: true,
    details: { generation, seen },
  });
}
