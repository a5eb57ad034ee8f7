import { OperationalError } from '@berth/core';
import type { ModelName } from '@berth/core';

/** What a request gets that may not even wait. */
export function queueFull(
  model: ModelName,
  answer: 'model-full' | 'full',
  limits: { readonly maxWaitersPerModel: number; readonly maxWaiters: number },
): OperationalError {
  const { maxWaitersPerModel, maxWaiters } = limits;
  const which = answer === 'full' ? `${maxWaiters} requests wait for models` : `${maxWaitersPerModel} requests wait for ${model}`;
  return new OperationalError({
    code: 'QUEUE_FULL',
    message: `Already ${which}, which is the limit. Try again when its placement has gone on.`,
    retryable: true,
    retryAfterMs: 5000,
    details: { model, maxWaitersPerModel, maxWaiters },
  });
}
