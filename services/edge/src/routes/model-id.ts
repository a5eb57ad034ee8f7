import { findModel } from '@berth/config';
import type { Catalog, ModelSettings } from '@berth/config';
import { modelNotFound } from '../errors/model-not-found.ts';
import { OPEN_ACCESS } from '../keys/request-access.ts';
import type { RequestAccess } from '../keys/request-access.ts';

/** `null` for text that is not percent-encoded UTF-8. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** The model that an id in a path names: its name or an alias, with slashes plain or encoded. Throws `MODEL_NOT_FOUND`, also for one that does not exist for whoever asks. */
export function modelInPath(catalog: Catalog, id: string, access: Pick<RequestAccess, 'mayUse'> = OPEN_ACCESS): ModelSettings {
  const name = decoded(id);
  const model = name === null ? undefined : findModel(catalog, name);
  if (model !== undefined && access.mayUse(model.name)) return model;
  throw modelNotFound(name ?? '');
}
