import type { IncomingMessage, ServerResponse } from 'node:http';
import { findModel } from '@berth/config';
import { OperationalError } from '@berth/core';
import { discreetFailure } from '../keys/discreet-failure.ts';
import type { RequestAccess } from '../keys/request-access.ts';
import { logRequest, requestRecord } from '../telemetry/request-record.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClientAnswer } from './client-answer.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import type { EngineRoute } from './engine-routes.ts';
import { answerFailure } from './answer-failure.ts';
import { JsonRequestReader, readMultipart, readQuery } from './read-request.ts';
import type { Asked } from './read-request.ts';
import { RequestBody } from './request-body.ts';
import { ServedRequest } from './served-request.ts';

/** Takes one request of an engine route from its body to its last byte, and writes its log line. */
export class EngineProxy {
  readonly #parts: EngineProxyParts;
  readonly #waitingBodies: ByteBudget;

  constructor(parts: EngineProxyParts) {
    this.#parts = parts;
    this.#waitingBodies = new ByteBudget(parts.protocol.bodies.waitingBytes);
  }

  /** `path` is the canonical path of the request, `query` its query with the `?`. Never rejects: failures are answered. */
  async handle(
    route: EngineRoute,
    target: { path: string; query: string },
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    const { logger, newRequestId } = this.#parts;
    const answer = new ClientAnswer(outgoing);
    const record = requestRecord({ requestId: newRequestId(), method: route.method, route: route.path, startedAtMs: performance.now() });
    const body = route.modelIn === 'query' ? null : new RequestBody(incoming, this.#parts.protocol.bodies);
    let access: RequestAccess | null = null;
    try {
      access = this.#parts.keys.admit(incoming.headers, record);
      const arrivedAtMs = this.#parts.nowMs();
      const reader = new RouteReader(route, body, incoming, target.query, this.#parts.protocol.bodies.retryLimitBytes);
      const asked = await reader.begin();
      const model = findModel(this.#parts.catalog, asked.model);
      if (model === undefined || !access.mayUse(model.name)) throw modelNotFound(asked.model);
      record.model = model.name;
      record.stream = asked.stream;
      const request = new ServedRequest({
        ...this.#parts,
        route,
        access,
        incoming,
        answer,
        body,
        model,
        asked,
        record,
        arrivedAtMs,
        waitingBodies: this.#waitingBodies,
        path: target.path + target.query,
        finishReading: (take) => reader.finish(take),
      });
      await request.serve();
    } catch (error) {
      answerFailure({ error: discreetFailure(error, access), answer, dialect: route.dialect, record, logger });
    } finally {
      access?.release();
      record.bytesIn = body?.bytesRead ?? 0;
      logRequest(logger, record, answer);
    }
  }
}

/** Reads `model` and `stream` from where the route has them. */
class RouteReader {
  readonly #route: EngineRoute;
  readonly #body: RequestBody | null;
  readonly #contentType: string;
  readonly #query: string;
  readonly #json: JsonRequestReader | null;
  #asked: Asked | null = null;

  constructor(route: EngineRoute, body: RequestBody | null, incoming: IncomingMessage, query: string, keepBytes: number) {
    this.#route = route;
    this.#body = body;
    this.#contentType = incoming.headers['content-type'] ?? '';
    this.#query = query;
    this.#json = body !== null && route.modelIn === 'json' ? new JsonRequestReader(body, keepBytes) : null;
  }

  async begin(): Promise<Asked> {
    this.#asked = await this.#read();
    return this.#asked;
  }

  /** Reads what is still to come; `take` is asked about every piece before it is kept. */
  async finish(take: (bytes: number) => void): Promise<Asked> {
    take(this.#body?.bytesRead ?? 0);
    if (this.#json !== null) this.#asked = await this.#json.finish(take);
    return this.#asked ?? this.begin();
  }

  #read(): Promise<Asked> {
    if (this.#json !== null) return this.#json.begin();
    if (this.#body !== null && this.#route.modelIn === 'multipart') return readMultipart(this.#body, this.#contentType);
    return Promise.resolve(readQuery(this.#query));
  }
}

function modelNotFound(asked: string): OperationalError {
  const name = asked.length > 200 ? `${asked.slice(0, 200)}…` : asked;
  return new OperationalError({
    code: 'MODEL_NOT_FOUND',
    message: `The model \`${name}\` does not exist. GET /v1/models lists those that do.`,
    retryable: false,
    details: { param: 'model' },
  });
}
