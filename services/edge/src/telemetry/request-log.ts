import { flatLogOf } from '@berth/telemetry';
import type { FlatLog } from '@berth/telemetry';
import { HTTP_ERRORS } from '../errors/error-table.ts';
import type { EdgeLogger } from './edge-logger.ts';
import type { RequestEnd } from './request-end.ts';
import type { RequestRecord } from './request-record.ts';

/** Writes the one wide line of each request: at `warn` when the failure is Berth's or an engine's, else at `info`. */
export class RequestLog {
  readonly #log: FlatLog;
  readonly #fields: ReturnType<typeof fieldsOf>;
  readonly #edgeReplicaId: string;

  constructor(logger: EdgeLogger, edgeReplicaId: string) {
    this.#log = flatLogOf(logger);
    this.#fields = fieldsOf(this.#log);
    this.#edgeReplicaId = edgeReplicaId;
  }

  /** Field by field: only what is known to be safe gets into a line. What says nothing is left out. */
  write(record: RequestRecord, end: RequestEnd): void {
    const log = this.#log;
    const fields = this.#fields;
    const { outcome, usage, startedAtMs, engineFirstByteAtMs } = record;
    const ours = outcome === 'broken' || (outcome === 'failed' && statusOf(record.code) >= 500);
    if (!log.begin(ours ? 'warn' : 'info')) return;
    log.id(fields.requestId, record.requestId);
    log.text(fields.keyId, record.keyId);
    log.text(fields.method, record.method);
    log.text(fields.route, record.route);
    log.text(fields.model, record.model);
    log.flag(fields.stream, record.stream);
    log.number(fields.status, end.status);
    log.text(fields.outcome, outcome);
    log.text(fields.code, record.code);
    log.text(fields.brokenBy, record.brokenBy);
    if (record.engineErrorFrame) log.flag(fields.engineErrorFrame, true);
    log.number(fields.attempts, record.attempts);
    log.flag(fields.cold, record.cold);
    if (record.cold) {
      log.tenths(fields.queueMs, record.queueMs);
      log.tenths(fields.placeMs, record.placeMs);
    }
    log.tenths(fields.firstByteMs, end.firstByteMs);
    if (engineFirstByteAtMs !== null) log.tenths(fields.engineFirstByteMs, engineFirstByteAtMs - startedAtMs);
    log.tenths(fields.durationMs, end.durationMs);
    log.number(fields.bytesIn, record.bytesIn);
    log.number(fields.bytesOut, end.bytesOut);
    if (usage !== null) {
      log.number(fields.promptTokens, usage.promptTokens);
      log.number(fields.completionTokens, usage.completionTokens);
    }
    log.text(fields.generation, record.generation);
    log.text(fields.edgeReplicaId, this.#edgeReplicaId);
    log.end(ours ? 'request failed' : 'request served');
  }
}

/** What the client was told, also inside a stream whose status was 200 by then. */
function statusOf(code: RequestRecord['code']): number {
  return code === null || code === 'INTERNAL' ? 500 : HTTP_ERRORS[code].status;
}

function fieldsOf(log: FlatLog) {
  return {
    requestId: log.field('requestId'),
    keyId: log.repeated('keyId'),
    method: log.repeated('method'),
    route: log.repeated('route'),
    model: log.repeated('model'),
    stream: log.field('stream'),
    status: log.field('status'),
    outcome: log.repeated('outcome'),
    code: log.repeated('code'),
    brokenBy: log.repeated('brokenBy'),
    engineErrorFrame: log.field('engineErrorFrame'),
    attempts: log.field('attempts'),
    cold: log.field('cold'),
    queueMs: log.field('queueMs'),
    placeMs: log.field('placeMs'),
    firstByteMs: log.field('firstByteMs'),
    engineFirstByteMs: log.field('engineFirstByteMs'),
    durationMs: log.field('durationMs'),
    bytesIn: log.field('bytesIn'),
    bytesOut: log.field('bytesOut'),
    promptTokens: log.field('promptTokens'),
    completionTokens: log.field('completionTokens'),
    generation: log.repeated('generation'),
    edgeReplicaId: log.repeated('edgeReplicaId'),
  } as const;
}
