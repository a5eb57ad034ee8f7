import { flatLogOf } from '@berth/telemetry';
import type { FlatFields, FlatLog } from '@berth/telemetry';
import type { RequestEnd } from './request-end.ts';
import type { RequestRecord } from './request-record.ts';

/** Writes the one wide line of each request: at `warn` when the failure is Berth's or an engine's, else at `info`. */
export class RequestLog {
  readonly #log: FlatLog;
  readonly #edgeReplicaId: string;

  constructor(logger: FlatLog, edgeReplicaId: string) {
    this.#log = flatLogOf(logger);
    this.#edgeReplicaId = edgeReplicaId;
  }

  write(record: RequestRecord, end: RequestEnd): void {
    const { outcome, usage } = record;
    // Named one by one: only what is known to be safe gets into a line, and JSON.stringify is fastest on objects of one shape.
    const fields: FlatFields = {
      requestId: record.requestId,
      keyId: record.keyId,
      method: record.method,
      route: record.route,
      model: record.model,
      stream: record.stream,
      status: end.status,
      outcome,
      code: record.code,
      brokenBy: record.brokenBy,
      engineErrorFrame: record.engineErrorFrame,
      attempts: record.attempts,
      cold: record.cold,
      queueMs: rounded(record.queueMs),
      placeMs: rounded(record.placeMs),
      firstByteMs: end.firstByteMs === null ? null : rounded(end.firstByteMs),
      engineFirstByteMs: record.engineFirstByteAtMs === null ? null : rounded(record.engineFirstByteAtMs - record.startedAtMs),
      durationMs: rounded(end.durationMs),
      bytesIn: record.bytesIn,
      bytesOut: end.bytesOut,
      promptTokens: usage === null ? null : usage.promptTokens,
      completionTokens: usage === null ? null : usage.completionTokens,
      generation: record.generation,
      edgeReplicaId: this.#edgeReplicaId,
    };
    const ours = outcome === 'broken' || (outcome === 'failed' && (end.status ?? 500) >= 500);
    if (ours) this.#log.warn(fields, 'request failed');
    else this.#log.info(fields, 'request served');
  }
}

function rounded(durationMs: number): number {
  return Math.round(durationMs * 10) / 10;
}
