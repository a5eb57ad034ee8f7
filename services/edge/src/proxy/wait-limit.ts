import type { ModelSettings, ProtocolSettings } from '@berth/config';

/**
 * How long a request may wait for its model. A client shortens it with `Prefer: wait=SECONDS` (RFC 7240 §4.3), 0 included; it cannot lengthen
 * it.
 */
export function waitLimitMs(request: {
  readonly stream: boolean;
  readonly prefer: string | string[] | undefined;
  readonly model: Pick<ModelSettings, 'loadTimeoutMs'>;
  readonly coldStart: Pick<ProtocolSettings['coldStart'], 'waitMs' | 'streamWaitMs'>;
}): number {
  const { stream, prefer, model, coldStart } = request;
  const ownMs = stream ? (coldStart.streamWaitMs ?? model.loadTimeoutMs) : coldStart.waitMs;
  const preferred = preferredWaitMs(Array.isArray(prefer) ? prefer.join(',') : prefer);
  return preferred === null ? ownMs : Math.min(ownMs, preferred);
}

function preferredWaitMs(prefer: string | undefined): number | null {
  if (prefer === undefined) return null;
  const seconds = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[;,]|$)/iu.exec(prefer)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}
