import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelSettings } from '@berth/config';
import { OperationalError } from '@berth/core';
import type { RequestSlot } from '@berth/core';
import { faultOf } from '../errors/error-answer.ts';
import type { RequestAccess } from '../keys/request-access.ts';
import { useLoaded } from '../placement/use-loaded.ts';
import type { RequestRecord } from '../telemetry/request-record.ts';
import { AnswerRelay } from './answer-relay.ts';
import type { ByteBudget } from './byte-budget.ts';
import { ClientLeft } from './client-answer.ts';
import type { ClientAnswer } from './client-answer.ts';
import { EngineExchange } from './engine-exchange.ts';
import type { ExchangeOutcome } from './engine-exchange.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import type { EngineRoute } from './engine-routes.ts';
import { engineRequestHeaders } from './headers.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Asked } from './read-request.ts';
import type { RequestBody } from './request-body.ts';
import { EndpointGone } from './upstream.ts';
import { waitLimitMs } from './wait-limit.ts';

/** Attempts in all before the first byte of an answer. */
const ATTEMPTS = 3;

export interface ServedRequestParts extends EngineProxyParts {
  readonly route: EngineRoute;
  readonly access: RequestAccess;
  readonly incoming: IncomingMessage;
  readonly answer: ClientAnswer;
  readonly body: RequestBody | null;
  readonly model: ModelSettings;
  readonly asked: Asked;
  readonly record: RequestRecord;
  readonly arrivedAtMs: number;
  readonly waitingBodies: ByteBudget;
  /** Path and query, as the engine gets them. */
  readonly path: string;
  /** Reads the body to its end; `take` is asked about every piece and throws when there is no room for it. */
  readonly finishReading: (take: (bytes: number) => void) => Promise<Asked>;
}

/** One request whose model is known: attempts on endpoints of the model, each after a wait where none is ready. */
export class ServedRequest {
  readonly #parts: ServedRequestParts;
  #heartbeats: Heartbeats | null = null;
  #waitedMs = 0;
  #timing: readonly string[] = [];

  constructor(parts: ServedRequestParts) {
    this.#parts = parts;
  }

  /** Resolves when the client has its answer, whole or broken off. Throws what is to be told before any of it. */
  async serve(): Promise<void> {
    const { session, model, record, answer, body } = this.#parts;
    try {
      for (let attempt = 1; ; attempt += 1) {
        const slot = session.begin(model.name) ?? (await this.#waitForEndpoint());
        record.attempts = attempt;
        record.generation = slot.endpoint.generation;
        const fresh = attempt > 1 || body?.whole === null;
        const outcome = await this.#attempt(slot, fresh);
        if (outcome.kind !== 'unreached') return;
        session.suspect?.(slot.endpoint.generation);
        if (attempt === ATTEMPTS || body?.canSend === false) throw unreached(model.name, attempt, outcome.cause);
        const pauseMs = outcome.stale && !fresh ? 0 : (this.#parts.retryPausesMs[attempt - 1] ?? 0);
        if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: answer.left }).catch(() => undefined);
        if (answer.left.aborted) throw new ClientLeft();
      }
    } finally {
      this.#heartbeats?.[Symbol.dispose]();
    }
  }

  async #attempt(slot: RequestSlot, fresh: boolean): Promise<ExchangeOutcome> {
    const { answer, body, route, incoming, protocol, upstreams } = this.#parts;
    const rename = this.#rename(slot);
    const headers = engineRequestHeaders(incoming.rawHeaders, incoming.headers.connection, rename !== null || this.#heartbeats !== null);
    const relay = new AnswerRelay({
      answer,
      dialect: route.dialect,
      rename,
      extraHeaders: this.#timing,
      onBegin: this.#heartbeats === null ? undefined : () => this.#heartbeats?.[Symbol.dispose](),
    });
    const exchange = new EngineExchange(
      {
        method: route.method,
        path: this.#parts.path,
        headers,
        body,
        firstByteTimeoutMs: protocol.requests.timeoutMs,
        idleTimeoutMs: protocol.streams.idleTimeoutMs,
      },
      answer,
      relay,
    );
    try {
      const outcome = await exchange.run(upstreams.of(slot.endpoint, slot.gone), fresh);
      this.#conclude(outcome, relay);
      return outcome;
    } finally {
      slot.end();
    }
  }

  /** Notes how the attempt ended, and tells the client where its answer has begun. */
  #conclude(outcome: ExchangeOutcome, relay: AnswerRelay): void {
    const { record, model } = this.#parts;
    record.engineErrorFrame = relay.sawErrorFrame;
    switch (outcome.kind) {
      case 'answered':
        record.outcome = 'answered';
        return;
      case 'client-left':
        record.outcome = 'client-left';
        return;
      case 'unreached':
        return;
      case 'refused':
        throw outcome.failure instanceof OperationalError ? outcome.failure : unreached(model.name, record.attempts, outcome.failure);
      case 'silent':
        if (!outcome.afterFirstByte) throw silent(model.name);
        return this.#broken(relay, silent(model.name));
      case 'broken':
        return this.#broken(relay, exited(model.name, outcome.cause));
    }
  }

  #broken(relay: AnswerRelay, failure: OperationalError): void {
    const { record } = this.#parts;
    record.outcome = 'broken';
    record.code = failure.code;
    // The engine has told its own error already; what follows it is only the end.
    if (relay.sawErrorFrame) this.#parts.answer.end();
    else relay.fail(faultOf(failure));
  }

  async #waitForEndpoint(): Promise<RequestSlot> {
    const { waits, watch, protocol, model, answer, arrivedAtMs, nowMs, record, incoming, access } = this.#parts;
    if (access.right === 'use') return useLoaded(this.#parts, model.name);
    const beganAtMs = nowMs();
    record.cold = true;
    using share = this.#parts.waitingBodies.share();
    const asked = await this.#parts.finishReading((bytes) => {
      if (!share.take(bytes)) throw tooManyBodies(protocol.bodies.waitingBytes);
    });
    record.stream = asked.stream;
    const limitMs = waitLimitMs({ stream: asked.stream, prefer: incoming.headers.prefer, model, coldStart: protocol.coldStart });
    if (asked.stream && this.#heartbeats === null) {
      const { heartbeatAfterMs, heartbeatEveryMs } = protocol.coldStart;
      this.#heartbeats = new Heartbeats({
        answer,
        model: model.name,
        view: () => watch.latest,
        afterMs: heartbeatAfterMs,
        everyMs: heartbeatEveryMs,
      });
    }
    const deadlineAtMs = beganAtMs + Math.max(0, limitMs - this.#waitedMs);
    const waited = await waits.wait({ model: model.name, right: access.right, arrivedAtMs, deadlineAtMs, left: answer.left });
    this.#waitedMs += nowMs() - beganAtMs;
    record.queueMs += waited.queueMs;
    record.placeMs += waited.placeMs;
    this.#timing = ['server-timing', `queue;dur=${Math.round(record.queueMs)}, place;dur=${Math.round(record.placeMs)}`];
    return waited.slot;
  }

  /** vLLM answers with the first name it serves, whatever name was asked for. */
  #rename(slot: RequestSlot): { from: string; to: string } | null {
    const { model, asked } = this.#parts;
    const from = slot.endpoint.servedNames[0];
    if (model.engine !== 'vllm' || from === undefined || from === asked.model) return null;
    return { from, to: asked.model };
  }
}

function unreached(model: string, attempts: number, cause: Error): OperationalError {
  const gone = cause instanceof EndpointGone;
  return new OperationalError({
    code: 'ENGINE_EXITED',
    message: `The endpoint of ${model} ${gone ? 'was gone' : 'could not be reached'} before it answered, in ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}. It is replaced; send the request again.`,
    retryable: true,
    details: { model, attempts },
    cause,
  });
}

function exited(model: string, cause: Error): OperationalError {
  return new OperationalError({
    code: 'ENGINE_EXITED',
    message: `The endpoint of ${model} ended in the middle of this answer. Send the request again.`,
    retryable: true,
    details: { model },
    cause,
  });
}

function silent(model: string): OperationalError {
  return new OperationalError({
    code: 'ENGINE_UNRESPONSIVE',
    message: `The endpoint of ${model} sent nothing for longer than the operator allows. Send the request again, or raise requests.timeout or streams.idleTimeout in berth.yaml.`,
    retryable: true,
    details: { model },
  });
}

function tooManyBodies(limitBytes: number): OperationalError {
  return new OperationalError({
    code: 'QUEUE_FULL',
    message: `The bodies of the requests that wait for their models reach ${limitBytes} bytes on this edge. Ask again after Retry-After.`,
    retryable: true,
    details: { limitBytes },
  });
}
