import { findModel } from '@berth/config';
import { modelNotFound } from '../errors/model-not-found.ts';
import { discreetFailure } from '../keys/discreet-failure.ts';
import type { AnswerSink } from '../downstream/answer-sink.ts';
import type { RequestAccess } from '../keys/request-access.ts';
import { requestEnd } from '../telemetry/request-end.ts';
import { requestRecord } from '../telemetry/request-record.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClientAnswer } from './client-answer.ts';
import type { ClientRequest } from './client-request.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import type { EngineRoute } from './engine-routes.ts';
import { answerFailure } from './answer-failure.ts';
import type { BodyLimits } from './request-body.ts';
import { RouteReader } from './route-reader.ts';
import { ServedRequest } from './served-request.ts';

/** Takes one request of an engine route from its body to its last byte, and writes its log line. */
export class EngineProxy {
  readonly #parts: EngineProxyParts;
  readonly #heldBodies: ByteBudget;
  readonly #bodyLimits: BodyLimits;

  constructor(parts: EngineProxyParts) {
    this.#parts = parts;
    this.#heldBodies = new ByteBudget(parts.protocol.bodies.waitingBytes);
    this.#bodyLimits = { ...parts.protocol.bodies, limitSetting: 'bodies.limit', idleTimeoutMs: parts.protocol.requests.bodyIdleTimeoutMs };
  }

  /** `target`: path and query, as the engine gets them. Never rejects: failures are answered. */
  async handle(route: EngineRoute, target: string, client: ClientRequest, sink: AnswerSink): Promise<void> {
    const { logger, metrics, requestLog, newRequestId } = this.#parts;
    const answer = new ClientAnswer(sink);
    const record = requestRecord({ requestId: newRequestId(), method: route.method, route: route.path, startedAtMs: performance.now() });
    const body = client.openBody(this.#bodyLimits, this.#heldBodies);
    let access: RequestAccess | null = null;
    let request: ServedRequest | null = null;
    try {
      access = this.#parts.keys.admit(client.headers, record);
      const reader = new RouteReader(route, body, client.headers);
      const begun = reader.begin();
      const asked = begun instanceof Promise ? await begun : begun;
      const model = findModel(this.#parts.catalog, asked.model);
      if (model === undefined || !access.mayUse(model.name)) throw modelNotFound(asked.model);
      record.model = model.name;
      record.stream = asked.stream;
      request = new ServedRequest(this.#parts, {
        route,
        access,
        client,
        answer,
        body,
        model,
        asked,
        record,
        target,
        finishReading: () => reader.finish(),
      });
      await request.serve();
    } catch (error) {
      const told = { error: discreetFailure(error, access), answer, dialect: route.dialect, record, logger };
      answerFailure({ ...told, extraHeaders: request?.coldHeaders ?? [] });
    } finally {
      access?.release();
      record.bytesIn = body.bytesRead;
      body.abandon();
      client.discardRest();
      const end = requestEnd(record, answer);
      metrics.observe(record, end);
      requestLog.write(record, end);
    }
  }
}
