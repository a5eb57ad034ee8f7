import { OperationalError } from '@berth/core';
import type { EdgeSession, ModelName, RequestSlot } from '@berth/core';
import { mayNotPlace } from '../keys/request-access.ts';
import { progressOf } from './model-progress.ts';
import type { ModelProgress } from './model-progress.ts';
import type { PlacementWatch } from './placement-watch.ts';
import { retryAfterOf } from './retry-after.ts';

/** A drain that is called off is so within its timeout; one that is not ends soon as well. */
const DRAINING_RETRY_AFTER_MS = 10_000;

/**
 * For a key that may only use loaded models: a slot on an endpoint that serves already, or the answer at once. Makes no waiter, no wish and no job, so that
 * such a key causes nothing. Throws `KEY_MAY_NOT_PLACE` when nothing of the model runs; `MODEL_LOADING` while somebody else's placement is under way and
 * `NO_CAPACITY_NOW` while its endpoint drains, both with `retryAfterMs`; `REDIS_UNAVAILABLE`.
 */
export async function useLoaded(
  parts: { readonly session: EdgeSession; readonly watch: PlacementWatch },
  model: ModelName,
): Promise<RequestSlot> {
  const { session, watch } = parts;
  const answer = await session.acquire(model);
  const slot = answer.kind === 'ready' ? session.begin(model) : null;
  if (slot !== null) return slot;
  const progress = progressOf(await watch.read(), model);
  const starting = answer.kind === 'ready' || answer.state === 'starting';
  throw starting || progress.state === 'starting' || progress.status !== null ? loading(model, progress) : notLoaded(model, progress);
}

function loading(model: ModelName, { etaMs, phase }: ModelProgress): OperationalError {
  return new OperationalError({
    code: 'MODEL_LOADING',
    message: `${model} is being loaded for somebody else. This key may only use loaded models, so it does not wait for it; ask again after Retry-After.`,
    retryable: true,
    retryAfterMs: retryAfterOf(etaMs),
    details: { model, etaMs, phase },
  });
}

function notLoaded(model: ModelName, { state }: ModelProgress): OperationalError {
  if (state !== 'draining') return mayNotPlace(model);
  return new OperationalError({
    code: 'NO_CAPACITY_NOW',
    message: `The endpoint of ${model} takes no new requests: it is to stop, unless that is called off. This key may only use loaded models; ask again after Retry-After.`,
    retryable: true,
    retryAfterMs: DRAINING_RETRY_AFTER_MS,
    details: { model },
  });
}
