import { isRecord, parseJson } from '../json.ts';

/**
 * The longest context that `/v1/models` of vLLM gives, in tokens; all of an engine's names have the same, adapters apart. `null`
 * where it gives none (other engines do not), and for a body that is no such list.
 */
export function parseMaxModelLen(body: string): number | null {
  const list = parseJson(body);
  const models = isRecord(list) && Array.isArray(list['data']) ? list['data'] : [];
  for (const model of models) {
    const length: unknown = isRecord(model) ? model['max_model_len'] : null;
    if (typeof length === 'number' && Number.isInteger(length) && length > 0) return length;
  }
  return null;
}
