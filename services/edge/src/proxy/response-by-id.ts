import type { IncomingMessage, ServerResponse } from 'node:http';
import { findModel } from '@berth/config';
import type { ModelSettings } from '@berth/config';
import { isOperationalError, OperationalError } from '@berth/core';
import type { ModelName, RequestSlot } from '@berth/core';
import { ResponseSink } from '../downstream/response-sink.ts';
import { faultOf } from '../errors/error-answer.ts';
import type { RequestAccess } from '../keys/request-access.ts';
import { beginOrAcquire } from '../placement/begin-or-acquire.ts';
import type { PlacementView } from '../placement/placement-watch.ts';
import { requestEnd } from '../telemetry/request-end.ts';
import { forgetAttempts, noteAttempt, requestRecord } from '../telemetry/request-record.ts';
import type { RequestRecord } from '../telemetry/request-record.ts';
import { answerFailure } from './answer-failure.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClientAnswer, ClientLeft } from './client-answer.ts';
import { EngineExchange } from './engine-exchange.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import { engineRequestHeaders } from './headers.ts';
import { KnownAnswerRelay } from './known-answer-relay.ts';
import { RequestBody } from './request-body.ts';
import type { BodyLimits } from './request-body.ts';

/** An engine looks an id up in its own memory; one that takes longer to begin an answer does not work. */
const LONGEST_LOOK_UP_MS = 10_000;
/** Clients send nothing here, or an empty object. */
const LONGEST_BODY = 64 * 1024;
/** Ids whose model is remembered, so that a client that polls asks one engine and not all. */
const REMEMBERED_IDS = 10_000;
/** Engines make shorter ones. */
const LONGEST_ID = 200;

/** A kept-alive socket that the engine has just closed would look like an engine that fails. */
const FRESH = true;

export type ResponseByIdParts = Pick<
  EngineProxyParts,
  'catalog' | 'keys' | 'session' | 'upstreams' | 'watch' | 'protocol' | 'logger' | 'metrics' | 'requestLog' | 'newRequestId'
>;

export interface StoredResponseRequest {
  readonly method: 'GET' | 'POST';
  /** The pattern of the route, for the log. */
  readonly route: string;
  readonly id: string;
  readonly path: string;
  /** With its `?`, or nothing. */
  readonly query: string;
}

/**
 * Requests about a response that an engine stored: they name an id and no model. The ready endpoints that the client may use are asked one
 * after the other, the latest used first, until one knows the id; its answer goes through untouched. No model is started for it: an engine
 * keeps responses in its own memory, and forgets them when it ends (vLLM 0.32.0; only with `VLLM_ENABLE_RESPONSES_API_STORE=1`).
 */
export class ResponseById {
  readonly #parts: ResponseByIdParts;
  readonly #models = new Map<string, ModelName>();
  readonly #heldBodies: ByteBudget;
  readonly #bodyLimits: BodyLimits;

  constructor(parts: ResponseByIdParts) {
    this.#parts = parts;
    const { bodies, requests } = parts.protocol;
    this.#heldBodies = new ByteBudget(bodies.waitingBytes);
    this.#bodyLimits = {
      limitBytes: LONGEST_BODY,
      limitSetting: null,
      retryLimitBytes: LONGEST_BODY,
      idleTimeoutMs: requests.bodyIdleTimeoutMs,
    };
  }

  /** Never rejects: failures are answered, an id that nobody knows with 404. */
  async handle(request: StoredResponseRequest, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { keys, logger, metrics, requestLog, newRequestId } = this.#parts;
    const answer = new ClientAnswer(new ResponseSink(outgoing));
    const { method, route } = request;
    const record = requestRecord({ requestId: newRequestId(), method, route, startedAtMs: performance.now() });
    const body = method === 'POST' ? new RequestBody(incoming, this.#bodyLimits, this.#heldBodies) : null;
    let access: RequestAccess | null = null;
    try {
      access = keys.admit(incoming.headers, record);
      await body?.read();
      await this.#ask(request, { access, incoming, answer, body, record });
    } catch (error) {
      answerFailure({ error, answer, dialect: 'responses', record, logger });
    } finally {
      access?.release();
      record.bytesIn = body?.bytesRead ?? 0;
      body?.abandon();
      const end = requestEnd(record, answer);
      metrics.observe(record, end);
      requestLog.write(record, end);
    }
  }

  async #ask(request: StoredResponseRequest, asking: Asking): Promise<void> {
    let failure: OperationalError | null = null;
    for (const model of await this.#candidates(request, asking.access)) {
      try {
        const slot = await beginOrAcquire(this.#parts.session, model.name);
        if (slot === null) continue;
        const isAnswered = await this.#askOne(slot, request, asking);
        if (isAnswered) return this.#remember(request.id, model.name, asking.answer);
      } catch (error) {
        if (!isOperationalError(error)) throw error;
        failure = error;
      }
    }
    throw failure ?? notFound(request.id);
  }

  /** False when the endpoint does not know the id. Throws what is to be told if no other knows it either. */
  async #askOne(slot: RequestSlot, request: StoredResponseRequest, asking: Asking): Promise<boolean> {
    const { upstreams, protocol, session } = this.#parts;
    const { answer, incoming, record, body } = asking;
    const { generation, model } = slot.endpoint;
    record.attempts += 1;
    const relay = new KnownAnswerRelay({ answer, dialect: 'responses', rename: null, extraHeaders: [] });
    const exchange = new EngineExchange(
      {
        method: request.method,
        path: request.path + request.query,
        headers: engineRequestHeaders(incoming.rawHeaders, incoming.headers.connection, false),
        body,
        headTimeoutMs: Math.min(LONGEST_LOOK_UP_MS, protocol.requests.timeoutMs ?? LONGEST_LOOK_UP_MS),
        idleTimeoutMs: protocol.streams.idleTimeoutMs,
      },
      answer,
      relay,
    );
    try {
      const outcome = await exchange.run(upstreams.of(slot.endpoint, slot.gone), FRESH);
      noteAttempt(record, outcome, relay, slot.gone.aborted);
      if (relay.engineStatus === 0) {
        this.#parts.metrics.observeErrors(model, record);
        forgetAttempts(record);
      }
      if (outcome.kind === 'client-left') throw new ClientLeft();
      if (outcome.kind === 'unreached') session.suspect?.(generation);
      if (relay.declined === 'not-here') return false;
      if (outcome.kind === 'refused' && isOperationalError(outcome.failure)) throw outcome.failure;
      const failure = failing(model, outcome.kind === 'silent' ? 'ENGINE_UNRESPONSIVE' : 'ENGINE_EXITED');
      if (relay.engineStatus === 0) throw failure;
      Object.assign(record, { model, generation });
      record.outcome = outcome.kind === 'answered' ? 'answered' : 'broken';
      if (outcome.kind === 'answered') return true;
      record.code = failure.code;
      relay.fail(faultOf(failure));
      return true;
    } finally {
      slot.end();
    }
  }

  /** Models of the catalog with a ready endpoint that the client may use; the one that is known to have the id, or else the latest used, first. */
  async #candidates({ id, query }: StoredResponseRequest, access: RequestAccess): Promise<readonly ModelSettings[]> {
    const { catalog, watch } = this.#parts;
    const known = this.#models.get(id);
    // A model that has just become ready may be the one that was asked to store it.
    const view = (await watch.readOrNull(known === undefined ? { maxAgeMs: 0 } : {})) ?? watch.latest ?? (await watch.read());
    const named = new URLSearchParams(query).get('model');
    const only = named === null ? null : findModel(catalog, named);
    if (only === undefined) throw notFound(id);
    const lastUsed = lastUsedByModel(view);
    const rank = ({ name }: ModelSettings): number => (name === known ? Number.POSITIVE_INFINITY : (lastUsed.get(name) ?? 0));
    return catalog.models
      .filter((model) => lastUsed.has(model.name) && (only === null || model.name === only.name) && access.mayUse(model.name))
      .toSorted((one, other) => rank(other) - rank(one));
  }

  #remember(id: string, model: ModelName, answer: ClientAnswer): void {
    if (id.length > LONGEST_ID || (answer.status ?? 500) >= 300) return;
    this.#models.delete(id);
    this.#models.set(id, model);
    const [oldest] = this.#models.keys();
    if (this.#models.size > REMEMBERED_IDS && oldest !== undefined) this.#models.delete(oldest);
  }
}

interface Asking {
  readonly access: RequestAccess;
  readonly incoming: IncomingMessage;
  readonly answer: ClientAnswer;
  readonly body: RequestBody | null;
  readonly record: RequestRecord;
}

/** When each model that has a ready endpoint was last used. */
function lastUsedByModel({ registry }: PlacementView): ReadonlyMap<ModelName, number> {
  const ready = registry.endpoints.filter(({ state }) => state === 'ready');
  return new Map(ready.map(({ model, generation }) => [model, registry.lastUsedAtMs.get(generation) ?? 0]));
}

function notFound(id: string): OperationalError {
  return new OperationalError({
    code: 'RESPONSE_NOT_FOUND',
    message: `Response with id '${id.slice(0, 200)}' not found: no model that is ready here has it. Engines keep responses only while they run, and vLLM only with VLLM_ENABLE_RESPONSES_API_STORE=1.`,
    retryable: false,
    details: { param: 'response_id' },
  });
}

function failing(model: ModelName, code: 'ENGINE_EXITED' | 'ENGINE_UNRESPONSIVE'): OperationalError {
  return new OperationalError({
    code,
    message: `The endpoint of ${model} failed when it was asked for a stored response, and no other has it. Send the request again.`,
    retryable: true,
    details: { model },
  });
}
