import type { DrainingEndpoint, ReadyEndpoint } from '@berth/core';
import { transition } from '@berth/core';
import { explainExit } from '../learn/explain-exit.ts';
import { learnFromFailure } from '../learn/learn-from-failure.ts';
import { findQuarantine, quarantineAfterExit } from '../learn/quarantine.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { changeEndpoint, logChange } from './change-endpoint.ts';

/**
 * Looks after an endpoint that serves: an engine that exited is recorded as such, whatever its exit code (a vLLM that crashes after ready
 * exits with 0); a drain that no placement claims ends in a stop once it is proved to be over. Claimed drains are ended by their placement.
 */
export async function advanceServing(context: TermContext, endpoint: ReadyEndpoint | DrainingEndpoint): Promise<boolean> {
  if (endpoint.handle !== null && context.exits.has(endpoint.handle)) {
    const status = await context.runtime.inspectEngine(endpoint.handle);
    if (status === null || status.state === 'exited') return recordExit(context, endpoint, status?.exitCode ?? null);
    context.exits.clear(endpoint.handle);
  }
  if (endpoint.state !== 'draining') return false;
  const drained = context.drains.isDrained(endpoint);
  return drained && endpoint.claimedBy === null ? stopDrained(context, endpoint) : false;
}

async function recordExit(context: TermContext, endpoint: ReadyEndpoint | DrainingEndpoint, exitCode: number | null): Promise<boolean> {
  const { failure, cause } = await explainExit(context, endpoint, exitCode);
  const model = settingsOf(context, endpoint.model);
  // A first exit is placed again at once anyway: here a remedy is only learned.
  if (model !== undefined) await learnFromFailure(context, endpoint, model, cause);
  const nowMs = context.clock.nowMs();
  const earlier = findQuarantine(await context.registry.read(), endpoint.model);
  const quarantine = quarantineAfterExit(context, earlier, endpoint, { failure, nowMs });
  await changeEndpoint(
    context,
    endpoint,
    { kind: 'stop-begun', reason: 'exited', atMs: nowMs, kill: true, failure },
    { putQuarantines: [quarantine] },
  );
  context.drains.forget(endpoint.generation);
  context.log.error({ model: endpoint.model, generation: endpoint.generation, exitCode, failure }, 'engine exited unasked');
  return true;
}

/** `draining → stopping` unless a lease lives. False when one does: the drain goes on. */
export async function stopDrained(context: TermContext, endpoint: DrainingEndpoint): Promise<boolean> {
  const next = transition(endpoint, {
    kind: 'stop-begun',
    reason: endpoint.reason,
    atMs: context.clock.nowMs(),
    kill: false,
    failure: null,
  });
  if (next.state !== 'stopping') return false;
  const stopped = await context.registry.stopDrained(context.term, next);
  if (stopped) logChange(context, endpoint, next, endpoint.reason);
  context.drains.forget(endpoint.generation);
  return stopped;
}
