import { setTimeout as sleep } from 'node:timers/promises';
import type { ModelSettings } from '@berth/config';
import { OperationalError } from '@berth/core';
import type { RequestSlot } from '@berth/core';
import { faultOf } from '../errors/error-answer.ts';
import { useLoaded } from '../placement/use-loaded.ts';
import { noteAttempt } from '../telemetry/request-record.ts';
import { EndpointGone, UpstreamError } from '../upstream/upstream-error.ts';
import { AnswerRelay } from './answer-relay.ts';
import { ClientLeft } from './client-answer.ts';
import { ColdStart } from './cold-start.ts';
import type { ColdRequest } from './cold-start.ts';
import { EngineExchange } from './engine-exchange.ts';
import type { ExchangeOutcome } from './engine-exchange.ts';
import type { EngineProxyParts } from './engine-proxy-parts.ts';
import type { EngineRoute } from './engine-routes.ts';
import type { Asked } from './asked.ts';

const NO_HEADERS: readonly string[] = [];
/** Attempts in all before the first byte of an answer. */
const ATTEMPTS = 3;

/** One request as far as it is known once its model is. */
export interface RequestInHand extends ColdRequest {
  readonly route: EngineRoute;
  readonly asked: Asked;
  /** Path and query, as the engine gets them. */
  readonly target: string;
}

/** One request whose model is known: attempts on endpoints of the model, each after a wait where none is ready. */
export class ServedRequest {
  readonly #parts: EngineProxyParts;
  readonly #request: RequestInHand;
  #cold: ColdStart | null = null;

  constructor(parts: EngineProxyParts, request: RequestInHand) {
    this.#parts = parts;
    this.#request = request;
  }

  /** For the head of an answer, flat: what a client is told of a cold start; empty where there was none. */
  get coldHeaders(): readonly string[] {
    return this.#cold?.headers ?? NO_HEADERS;
  }

  /** Resolves when the client has its answer, whole or broken off. Throws what is to be told before any of it. */
  async serve(): Promise<void> {
    const { session, retryPausesMs } = this.#parts;
    const { model, record, answer, body } = this.#request;
    try {
      for (let attempt = 1; ; attempt += 1) {
        const slot = session.begin(model.name) ?? (await this.#waitForEndpoint());
        if (slot.inFlight > model.maxInFlight) {
          slot.end();
          throw endpointFull(model);
        }
        record.attempts = attempt;
        record.retries = attempt - 1;
        record.generation = slot.endpoint.generation;
        const fresh = attempt > 1 || body.whole === null;
        const outcome = await this.#attempt(slot, fresh);
        if (outcome.kind !== 'unreached') return;
        if (!outcome.stale) session.suspect?.(slot.endpoint.generation);
        if (attempt === ATTEMPTS || !body.canSend) throw unreached(model.name, attempt, outcome.cause);
        const pauseMs = outcome.stale ? 0 : (retryPausesMs[attempt - 1] ?? 0);
        if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: answer.left }).catch(() => undefined);
        if (answer.hasLeft) throw new ClientLeft();
      }
    } finally {
      this.#cold?.[Symbol.dispose]();
    }
  }

  async #attempt(slot: RequestSlot, fresh: boolean): Promise<ExchangeOutcome> {
    const { protocol, upstreams } = this.#parts;
    const { answer, body, route, client, target } = this.#request;
    const rename = this.#rename(slot);
    const headers = client.engineHeaders(rename !== null || this.#cold?.hasHeartbeats === true);
    const relay = new AnswerRelay({
      answer,
      dialect: route.dialect,
      rename,
      extraHeaders: this.coldHeaders,
      onHead: this.#cold === null ? undefined : () => this.#cold?.headCame(),
      onFirstPiece: this.#cold === null ? undefined : () => this.#cold?.answerCame(),
    });
    const exchange = new EngineExchange(
      {
        method: route.method,
        path: target,
        headers,
        body,
        headTimeoutMs: protocol.requests.timeoutMs,
        idleTimeoutMs: protocol.streams.idleTimeoutMs,
      },
      answer,
      relay,
    );
    try {
      body.release();
      const outcome = await exchange.run(upstreams.of(slot.endpoint, slot.gone), fresh);
      noteAttempt(this.#request.record, outcome, relay, slot.gone.aborted);
      this.#conclude(outcome, relay);
      return outcome;
    } finally {
      slot.end();
    }
  }

  /** Notes how the attempt ended, and tells the client where its answer has begun. */
  #conclude(outcome: ExchangeOutcome, relay: AnswerRelay): void {
    const { record, model } = this.#request;
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
        throw outcome.failure instanceof UpstreamError ? unreadable(model.name, outcome.failure) : outcome.failure;
      case 'body-failed':
        if (!outcome.afterFirstByte) throw outcome.failure;
        return this.#broken(relay, outcome.failure);
      case 'silent':
        if (!outcome.afterFirstByte) throw silent(model.name);
        return this.#broken(relay, silent(model.name));
      case 'broken':
        return this.#broken(relay, exited(model.name, outcome.cause));
    }
  }

  #broken(relay: AnswerRelay, failure: OperationalError): void {
    const { record } = this.#request;
    record.outcome = 'broken';
    record.code = failure.code;
    relay.fail(faultOf(failure));
  }

  async #waitForEndpoint(): Promise<RequestSlot> {
    const { access, model, record } = this.#request;
    record.cold = true;
    if (access.right === 'use') return useLoaded(this.#parts, model.name);
    this.#cold ??= new ColdStart(this.#parts, this.#request, access.right);
    return this.#cold.wait();
  }

  /** vLLM answers with the first name it serves, whatever name was asked for. */
  #rename(slot: RequestSlot): { from: string; to: string } | null {
    const { model, asked } = this.#request;
    const from = slot.endpoint.servedNames[0];
    if (model.engine !== 'vllm' || from === undefined || from === asked.model) return null;
    return { from, to: asked.model };
  }
}

function endpointFull({ name, maxInFlight }: ModelSettings): OperationalError {
  return new OperationalError({
    code: 'ENDPOINT_FULL',
    message: `${maxInFlight} requests of ${name} are in flight through this edge. Ask again after Retry-After, or raise maxInFlight in berth.yaml.`,
    retryable: true,
    details: { model: name, maxInFlight },
  });
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

function unreadable(model: string, cause: Error): OperationalError {
  return new OperationalError({
    code: 'ENGINE_EXITED',
    message: `The endpoint of ${model} sent what is no whole HTTP answer. Send the request again; if that repeats, look at the engine's log.`,
    retryable: true,
    details: { model },
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
