import type { DrainingEndpoint, FailureShape, ModelName, Quarantine, ReadyEndpoint, RegistryState } from '@berth/core';
import type { TermContext } from '../term/term-context.ts';

/** An engine that served longer than this did not fail because of its start. */
const LONG_SERVICE_MS = 5 * 60_000;
/** How long past its end a quarantine is remembered, so that the next failure's back-off grows from it. */
export const QUARANTINE_REMEMBERED_MS = 10 * 60_000;

/** The back-off after one more failed start: doubles from `baseMs` to `maxMs`. */
export function quarantineAfterLoad(
  context: Pick<TermContext, 'catalog'>,
  earlier: Quarantine | undefined,
  failed: { readonly model: ModelName; readonly failure: FailureShape; readonly nowMs: number },
): Quarantine {
  const { baseMs, maxMs } = context.catalog.protocol.quarantine;
  const failures = (earlier?.failures ?? 0) + 1;
  const backOffMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 20));
  return { model: failed.model, failures, untilMs: failed.nowMs + backOffMs, failure: failed.failure };
}

/** A first crash after ready is placed again at the next request; repeated ones back off like failed starts. */
export async function quarantineAfterExit(
  context: TermContext,
  endpoint: ReadyEndpoint | DrainingEndpoint,
  failure: FailureShape,
  nowMs: number,
): Promise<Quarantine> {
  const earlier = findQuarantine(await context.registry.read(), endpoint.model);
  if (earlier === undefined || nowMs - endpoint.readyAtMs > LONG_SERVICE_MS)
    return { model: endpoint.model, failures: 1, untilMs: nowMs, failure };
  return quarantineAfterLoad(context, { ...earlier, failures: earlier.failures - 1 }, { model: endpoint.model, failure, nowMs });
}

export function findQuarantine(state: Pick<RegistryState, 'quarantines'>, model: ModelName): Quarantine | undefined {
  return state.quarantines.find((quarantine) => quarantine.model === model);
}
