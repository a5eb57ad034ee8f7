import { findModel } from '@berth/config';
import type { Catalog, ModelSettings } from '@berth/config';
import { OperationalError } from '@berth/core';

/** `null` for text that is not percent-encoded UTF-8. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The model that an id in a path names: its name or an alias, with slashes plain or encoded. Throws `MODEL_NOT_FOUND`. */
export function modelInPath(catalog: Catalog, id: string): ModelSettings {
  const name = decoded(id);
  const model = name === null ? undefined : findModel(catalog, name);
  if (model !== undefined) return model;
  throw new OperationalError({
    code: 'MODEL_NOT_FOUND',
    message: `The model \`${(name ?? '').slice(0, 200)}\` does not exist. GET /v1/models lists those that do.`,
    retryable: false,
    details: { param: 'model' },
  });
}
