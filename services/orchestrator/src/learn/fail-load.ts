import type { FailureShape, RetireReason, StartingEndpoint } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import { parseFailure, type EngineFailure } from '@berth/vllm';
import { changeEndpoint } from '../advance/change-endpoint.ts';
import { wishIdsOf } from '../snapshot/demand.ts';
import type { TermContext } from '../term/term-context.ts';
import { firstTry, learnFromFailure } from './learn-from-failure.ts';
import { findQuarantine, quarantineAfterLoad } from './quarantine.ts';

const LOG_LINES_TOLD = 20;

export interface FailedLoad {
  readonly reason: Extract<RetireReason, 'loadFailed' | 'loadTimedOut'>;
  readonly exitCode: number | null;
  readonly log: readonly string[];
  /** Where it is known without the log. */
  readonly failure?: FailureShape;
}

/**
 * Ends a load that failed. A cause that carries its remedy is learned from and tried once more: the placement plans anew. Any other
 * quarantines the model, and every waiter gets the cause.
 */
export async function failLoad(
  context: TermContext,
  endpoint: StartingEndpoint,
  model: ModelSettings,
  failed: FailedLoad,
): Promise<boolean> {
  const nowMs = context.clock.nowMs();
  const log = failed.log.map(context.sieve);
  const cause = parseFailure(log, failed.exitCode, { wasReady: false });
  const remedied = await isRemedied(context, endpoint, model, cause, failed);
  const failure = failed.failure !== undefined && log.length === 0 ? failed.failure : explain(endpoint, { ...failed, log }, cause);
  context.loads.forget(endpoint.generation);
  const state = await context.registry.read();
  const quarantine = quarantineAfterLoad(context, findQuarantine(state, endpoint.model), { model: endpoint.model, failure, nowMs });
  const wishes = wishIdsOf(state, endpoint.model);
  await changeEndpoint(
    context,
    endpoint,
    { kind: 'stop-begun', reason: failed.reason, atMs: nowMs, kill: true, failure },
    remedied ? {} : { putQuarantines: [quarantine], removeWishes: wishes },
  );
  context.log.error(
    {
      model: endpoint.model,
      generation: endpoint.generation,
      failure,
      remedied,
      quarantinedUntilMs: remedied ? null : quarantine.untilMs,
    },
    'load failed',
  );
  return true;
}

/** Whether another try is worth it now. What the runtime refused tells its cause by code, not by a log. */
async function isRemedied(
  context: TermContext,
  endpoint: StartingEndpoint,
  model: ModelSettings,
  cause: EngineFailure,
  failed: FailedLoad,
): Promise<boolean> {
  if (failed.log.length > 0) return learnFromFailure(context, endpoint, model, cause);
  const code = failed.failure?.code;
  return (code === 'PORT_TAKEN' || code === 'IMAGE_MISSING') && firstTry(context, endpoint.model, code);
}

function explain(endpoint: StartingEndpoint, failed: FailedLoad, cause: EngineFailure): FailureShape {
  const log = failed.log.slice(-LOG_LINES_TOLD);
  if (failed.reason === 'loadTimedOut') {
    const minutes = ((endpoint.deadlineAtMs - (endpoint.startedAtMs ?? endpoint.createdAtMs)) / 60_000).toFixed(1);
    const message = `${endpoint.model} was not ready after ${minutes} min (phase: ${endpoint.phase}). Raise its loadTimeout, or look at its log for what it waits for.`;
    return { code: 'ENGINE_START_FAILED', message, retryable: true, details: { phase: endpoint.phase, log } };
  }
  const proof = failed.failure === undefined ? '' : ` ${failed.failure.message}`;
  return {
    code: cause.code,
    message: `${endpoint.model} did not start. ${cause.message}${proof}`,
    retryable: true,
    details: { exitCode: failed.exitCode, kind: cause.kind, log },
  };
}
