import type { EdgeLogger } from './edge-logger.ts';

/** How a proxied request ended, for the log. */
export type RequestOutcome = 'answered' | 'failed' | 'broken' | 'client-left';

/** What one request's log line tells. Nothing that a client wrote stands in it but the model's name, once it was found in the catalog. */
export interface RequestRecord {
  readonly requestId: string;
  readonly method: string;
  readonly route: string;
  readonly startedAtMs: number;
  /** Name of the key in the catalog; never the key. */
  keyId: string | null;
  model: string | null;
  stream: boolean;
  attempts: number;
  generation: string | null;
  cold: boolean;
  queueMs: number;
  placeMs: number;
  outcome: RequestOutcome;
  code: string | null;
  engineErrorFrame: boolean;
  bytesIn: number;
}

/** A record with nothing known yet but how it began. `startedAtMs` is by `performance.now()`. */
export function requestRecord(begin: Pick<RequestRecord, 'requestId' | 'method' | 'route' | 'startedAtMs'>): RequestRecord {
  return {
    ...begin,
    keyId: null,
    model: null,
    stream: false,
    attempts: 0,
    generation: null,
    cold: false,
    queueMs: 0,
    placeMs: 0,
    outcome: 'failed',
    code: null,
    engineErrorFrame: false,
    bytesIn: 0,
  };
}

/** Writes the one line of a request. */
export function logRequest(
  logger: EdgeLogger,
  record: RequestRecord,
  answer: { readonly status: number | null; readonly bytesSent: number; readonly firstByteAtMs: number | null },
): void {
  const { startedAtMs, ...fields } = record;
  const line = {
    ...fields,
    status: answer.status,
    bytesOut: answer.bytesSent,
    firstByteMs: answer.firstByteAtMs === null ? null : rounded(answer.firstByteAtMs - startedAtMs),
    durationMs: rounded(performance.now() - startedAtMs),
  };
  const ours = record.outcome === 'broken' || (record.outcome === 'failed' && (answer.status ?? 500) >= 500);
  if (!ours) logger.info(line, 'request served');
  else logger.warn(line, 'request failed');
}

function rounded(durationMs: number): number {
  return Math.round(durationMs * 10) / 10;
}
