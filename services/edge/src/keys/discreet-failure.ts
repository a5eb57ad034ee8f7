import { asId, isOperationalError, OperationalError } from '@berth/core';
import type { ModelName } from '@berth/core';
import type { RequestAccess } from './request-access.ts';

/** What may stand in a model's name; a full stop or colon at the end of a word is punctuation. */
const BEFORE = '(?<![A-Za-z0-9._:/@+-])';
const AFTER = '(?![A-Za-z0-9_/@+-]|[.:][A-Za-z0-9])';

/**
 * The error as a request may see it: a placement's refusal names the models that are in its way, and those that the request's key may not use do not exist
 * for it. Anything else is handed back as it is; a failure is never changed, since all who wait share it.
 */
export function discreetFailure(error: unknown, access: RequestAccess | null): unknown {
  if (access === null || !isOperationalError(error)) return error;
  const hidden = [...new Set(modelsIn(error.details['reasons']))].filter((model) => !access.mayUse(model));
  if (hidden.length === 0) return error;
  const message = hidden.reduce(
    (text, name) => text.replaceAll(new RegExp(BEFORE + RegExp.escape(name) + AFTER, 'gu'), 'another model'),
    error.message,
  );
  return new OperationalError({ ...error.toShape(), message });
}

function modelsIn(reasons: unknown): readonly ModelName[] {
  if (!Array.isArray(reasons)) return [];
  return reasons.flatMap((reason: unknown) => {
    const model: unknown = typeof reason === 'object' && reason !== null ? Reflect.get(reason, 'model') : undefined;
    return typeof model === 'string' ? [asId<ModelName>(model)] : [];
  });
}
