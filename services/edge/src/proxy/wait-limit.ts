import type { ModelSettings, ProtocolSettings } from '@berth/config';

export interface WaitLimit {
  readonly limitMs: number;
  /** The preference as `Preference-Applied` tells it; `null` where the client has none that shortens its wait. */
  readonly preferenceApplied: string | null;
}

/**
 * How long a request may wait for its model. A client shortens it with `Prefer: wait=SECONDS` (RFC 7240 §4.3), 0 included; it cannot lengthen
 * it, and is not told that it could (§3).
 */
export function waitLimit(request: {
  readonly stream: boolean;
  readonly prefer: string | string[] | undefined;
  readonly model: Pick<ModelSettings, 'loadTimeoutMs'>;
  readonly coldStart: Pick<ProtocolSettings['coldStart'], 'waitMs' | 'streamWaitMs'>;
}): WaitLimit {
  const { stream, prefer, model, coldStart } = request;
  const ownMs = stream ? (coldStart.streamWaitMs ?? model.loadTimeoutMs) : coldStart.waitMs;
  const preferred = preferredSeconds(Array.isArray(prefer) ? prefer.join(',') : prefer);
  if (preferred === null || preferred * 1000 > ownMs) return { limitMs: ownMs, preferenceApplied: null };
  return { limitMs: preferred * 1000, preferenceApplied: `wait=${preferred}` };
}

function preferredSeconds(prefer: string | undefined): number | null {
  if (prefer === undefined) return null;
  const seconds = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[;,]|$)/iu.exec(prefer)?.[1];
  return seconds === undefined ? null : Number(seconds);
}
