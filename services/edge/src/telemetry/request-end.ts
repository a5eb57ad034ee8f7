import type { RequestRecord } from './request-record.ts';

/** What the client's side of a request adds to its record at the end. */
export interface RequestEnd {
  /** `null`: the client got no head. */
  readonly status: number | null;
  readonly bytesOut: number;
  /** From arrival to the first byte of the head. */
  readonly firstByteMs: number | null;
  readonly durationMs: number;
}

export function requestEnd(
  record: Pick<RequestRecord, 'startedAtMs'>,
  answer: { readonly status: number | null; readonly bytesSent: number; readonly firstByteAtMs: number | null },
): RequestEnd {
  const { startedAtMs } = record;
  return {
    status: answer.status,
    bytesOut: answer.bytesSent,
    firstByteMs: answer.firstByteAtMs === null ? null : answer.firstByteAtMs - startedAtMs,
    durationMs: performance.now() - startedAtMs,
  };
}
