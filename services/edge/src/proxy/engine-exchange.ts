import type { Dispatcher } from 'undici';
import { isOperationalError, OperationalError } from '@berth/core';
import type { AnswerRelay } from './answer-relay.ts';
import type { ClientAnswer } from './client-answer.ts';
import type { RequestBody } from './request-body.ts';
import { isRedirect } from './headers.ts';
import { EndpointGone } from './upstream.ts';
import type { Upstream } from './upstream.ts';

/** How one attempt to have a request answered by an endpoint ended. */
export type ExchangeOutcome =
  /** The engine's answer was passed on to its end. */
  | { readonly kind: 'answered' }
  /** Nothing of an answer came, for a reason that another attempt may not meet. */
  | { readonly kind: 'unreached'; readonly cause: Error; readonly stale: boolean }
  /** Nothing of an answer came, and another attempt would end the same. */
  | { readonly kind: 'refused'; readonly failure: OperationalError | Error }
  | { readonly kind: 'client-left' }
  /** The answer broke off after its first byte. */
  | { readonly kind: 'broken'; readonly cause: Error }
  /** No first byte, or no data within a stream, for too long. */
  | { readonly kind: 'silent'; readonly afterFirstByte: boolean };

export interface ExchangeRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly path: string;
  /** Flat: name, value. */
  readonly headers: string[];
  readonly body: RequestBody | null;
  /** Longest time to the first byte; `null`: no limit. */
  readonly firstByteTimeoutMs: number | null;
  /** Longest time without data in an event stream; `null`: no limit. */
  readonly idleTimeoutMs: number | null;
}

/**
 * Failures before the first byte that say nothing about the request: refused, reset, unreachable, unresolvable, not connected in time, or
 * the sockets destroyed under it because the endpoint is gone.
 */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
]);

/** Codes of a connection that was open and then was not: on a kept-alive socket that is no sign against the endpoint. */
const RESET_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * One attempt: sends a request to an endpoint and passes the answer to the relay, with back-pressure, until it ends or the client leaves.
 * Settles exactly once, and at once when the client leaves, whatever the upstream connection does: before it is connected, before the
 * head, and inside the body.
 */
export class EngineExchange implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #answer: ClientAnswer;
  readonly #relay: AnswerRelay;
  #controller: Dispatcher.DispatchController | null = null;
  #settle: ((outcome: ExchangeOutcome) => void) | null = null;
  #begun = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(request: ExchangeRequest, answer: ClientAnswer, relay: AnswerRelay) {
    this.#request = request;
    this.#answer = answer;
    this.#relay = relay;
  }

  run(upstream: Upstream, fresh: boolean): Promise<ExchangeOutcome> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      if (this.#answer.left.aborted) return this.#finish({ kind: 'client-left' });
      this.#answer.left.addEventListener('abort', this.#clientLeft, { once: true });
      const { method, path, headers, body, firstByteTimeoutMs } = this.#request;
      if (firstByteTimeoutMs !== null) this.#timer = setTimeout(() => this.#silent(), firstByteTimeoutMs);
      upstream.dispatch({ path, method, headers: [...headers, ...lengthOf(body)], body: body?.whole ?? body?.open() ?? null }, this, fresh);
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settle === null) controller.abort(new EndpointGone());
    else this.#request.body?.markSent();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, statusText?: string): void {
    if (status < 200 || this.#settle === null) return;
    if (status === 410) return this.#abandon({ kind: 'unreached', cause: new EndpointGone(), stale: false });
    if (isRedirect(status)) return this.#abandon({ kind: 'refused', failure: redirected(status) });
    this.#begun = true;
    this.#relay.begin(status, statusText ?? '', rawHeaders(controller));
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { idleTimeoutMs } = this.#request;
    if (idleTimeoutMs !== null && this.#relay.isEventStream) this.#watchSilence(idleTimeoutMs, idleTimeoutMs);
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#settle === null || this.#relay.write(piece)) return;
    controller.pause();
    this.#answer.onceDrained(() => controller.resume());
  }

  onResponseEnd(): void {
    if (this.#settle === null) return;
    this.#relay.end();
    this.#finish({ kind: 'answered' });
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#settle === null) return;
    if (this.#begun) return this.#finish({ kind: 'broken', cause: error });
    if (isOperationalError(error)) return this.#finish({ kind: 'refused', failure: error });
    const code = codeOf(error);
    if (!CONNECTION_CODES.has(code) && !(error instanceof EndpointGone)) return this.#finish({ kind: 'refused', failure: error });
    this.#finish({ kind: 'unreached', cause: error, stale: this.#controller !== null && RESET_CODES.has(code) });
  }

  readonly #clientLeft = (): void => this.#abandon({ kind: 'client-left' });

  #silent(): void {
    this.#abandon({ kind: 'silent', afterFirstByte: this.#begun });
  }

  /** One timer for the whole stream: it is only set anew when it fires too early. */
  #watchSilence(timeoutMs: number, delayMs: number): void {
    this.#timer = setTimeout(() => {
      const leftMs = this.#relay.lastDataAtMs + timeoutMs - performance.now();
      if (leftMs <= 0) this.#silent();
      else this.#watchSilence(timeoutMs, leftMs);
    }, delayMs);
  }

  /** Settles and closes the upstream connection, so that the engine stops generating. */
  #abandon(outcome: ExchangeOutcome): void {
    this.#finish(outcome);
    this.#controller?.abort(new EndpointGone());
  }

  #finish(outcome: ExchangeOutcome): void {
    const settle = this.#settle;
    this.#settle = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#answer.left.removeEventListener('abort', this.#clientLeft);
    settle?.(outcome);
  }
}

/** A whole body brings its own length; one that flows has the length that the client declared, or none. */
function lengthOf(body: RequestBody | null): readonly string[] {
  const length = body?.whole === null ? body.declaredLength : undefined;
  return length === undefined ? [] : ['content-length', length];
}

function redirected(status: number): OperationalError {
  return new OperationalError({
    code: 'ENGINE_REDIRECTED',
    message: `The engine answered with a redirect (${status}), which Berth does not pass on. Check what it serves at this path.`,
    retryable: false,
    details: { status },
  });
}

function rawHeaders(controller: Dispatcher.DispatchController): readonly (Buffer | string)[] {
  return Array.isArray(controller.rawHeaders) ? controller.rawHeaders : [];
}

function codeOf(error: Error): string {
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : '';
}
