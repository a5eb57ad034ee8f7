import type { DrainingEndpoint, FailureShape, ModelName, Quarantine, ReadyEndpoint, RegistryState } from '@berth/core';
import type { TermContext } from '../term/term-context.ts';

/** An engine that served longer than this did not fail because of its start. */
const LONG_SERVICE_MS = 5 * 60_000;
/** How long past its end a quarantine is remembered, so that the next failure's back-off grows from it. */
export const QUARANTINE_REMEMBERED_MS = 10 * 60_000;

interface Failed {
  readonly model: ModelName;
  readonly failure: FailureShape;
  readonly nowMs: number;
}

/** The back-off after one more failed start: doubles from `baseMs` to `maxMs`. */
export function quarantineAfterLoad(
  context: Pick<TermContext, 'catalog'>,
  earlier: Quarantine | undefined,
  { model, failure, nowMs }: Failed,
): Quarantine {
  const failures = (earlier?.failures ?? 0) + 1;
  return { model, failures, untilMs: nowMs + backOffMs(context, failures), failure };
}

/** A first crash after ready is placed again at the next request; repeated ones back off like failed starts. */
export function quarantineAfterExit(
  context: Pick<TermContext, 'catalog'>,
  earlier: Quarantine | undefined,
  endpoint: Pick<ReadyEndpoint | DrainingEndpoint, 'model' | 'readyAtMs'>,
  { failure, nowMs }: Omit<Failed, 'model'>,
): Quarantine {
  const { model } = endpoint;
  if (earlier === undefined || nowMs - endpoint.readyAtMs > LONG_SERVICE_MS) return { model, failures: 1, untilMs: nowMs, failure };
  const failures = earlier.failures + 1;
  return { model, failures, untilMs: nowMs + backOffMs(context, failures - 1), failure };
}

function backOffMs({ catalog }: Pick<TermContext, 'catalog'>, failures: number): number {
  const { baseMs, maxMs } = catalog.protocol.quarantine;
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 20));
}

export function findQuarantine(state: Pick<RegistryState, 'quarantines'>, model: ModelName): Quarantine | undefined {
  return state.quarantines.find((quarantine) => quarantine.model === model);
}
