import { isOperationalError, OperationalError } from '@berth/core';
import type { AnswerHead } from '../upstream/answer-head.ts';
import type { AnswerReceiver, Connection } from '../upstream/connection.ts';
import type { ConnectionPool } from '../upstream/connection-pool.ts';
import type { UpstreamBody } from '../upstream/request-head.ts';
import { EndpointGone, UpstreamError } from '../upstream/upstream-error.ts';
import type { AnswerRelay } from './answer-relay.ts';
import { ClientLeft } from './client-answer.ts';
import type { ClientAnswer } from './client-answer.ts';
import { ExchangeClock } from './exchange-clock.ts';
import type { ExchangeTimeouts, Late } from './exchange-clock.ts';
import { isRedirect } from './headers.ts';
import type { RequestBody } from './request-body.ts';

/** How one attempt to have a request answered by an endpoint ended. */
export type ExchangeOutcome =
  /** The engine's answer was passed on to its end. */
  | { readonly kind: 'answered' }
  /** Nothing of an answer came, for a reason that another attempt may not meet. `stale`: on a kept-alive connection, which is no sign against the endpoint. */
  | { readonly kind: 'unreached'; readonly cause: Error; readonly stale: boolean }
  /** Nothing of an answer came, and another attempt would end the same. */
  | { readonly kind: 'refused'; readonly failure: Error }
  | { readonly kind: 'client-left' }
  /** The request's body could not be read to its end, so the engine did not get all of it. `afterFirstByte`: of the answer. */
  | { readonly kind: 'body-failed'; readonly failure: OperationalError; readonly afterFirstByte: boolean }
  /** The answer broke off after its first byte. */
  | { readonly kind: 'broken'; readonly cause: Error }
  /** Nothing of an answer, or nothing more of it, for too long. */
  | { readonly kind: 'silent'; readonly afterFirstByte: boolean };

export interface ExchangeRequest extends ExchangeTimeouts {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly path: string;
  /** In lines, each with its end. */
  readonly headers: string;
  readonly body: RequestBody | null;
}

/**
 * One attempt: sends a request to an endpoint and passes the answer to the relay, with back-pressure, until it ends or the client leaves.
 * Settles exactly once, and at once when the client leaves, whatever the upstream connection does: before it is connected, before the
 * head, and inside the body.
 */
export class EngineExchange implements AnswerReceiver {
  readonly #request: ExchangeRequest;
  readonly #answer: ClientAnswer;
  readonly #relay: AnswerRelay;
  readonly #clock: ExchangeClock;
  #connection: Connection | null = null;
  #settle: ((outcome: ExchangeOutcome) => void) | null = null;
  #begun = false;

  constructor(request: ExchangeRequest, answer: ClientAnswer, relay: AnswerRelay) {
    this.#request = request;
    this.#answer = answer;
    this.#relay = relay;
    this.#clock = new ExchangeClock(request, relay, this.#late);
  }

  run(pool: ConnectionPool, fresh: boolean): Promise<ExchangeOutcome> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      if (this.#answer.hasLeft) return this.#finish({ kind: 'client-left' });
      this.#answer.watchLeaving(this.#clientLeft);
      const { method, path, headers, body } = this.#request;
      this.#clock.start();
      this.#connection = pool.send({ method, path, headers, body: this.#upstreamBody(body) }, this, fresh);
      if (this.#connection === null) this.#finish({ kind: 'unreached', cause: new EndpointGone(), stale: false });
    });
  }

  onSending(): void {
    this.#request.body?.markSent();
  }

  onHead(head: AnswerHead): void {
    if (this.#settle === null) return;
    const { status } = head;
    if (status === 410) return this.#abandon({ kind: 'unreached', cause: new EndpointGone(), stale: false });
    if (isRedirect(status)) return this.#abandon({ kind: 'refused', failure: redirected(status) });
    this.#begun = true;
    this.#relay.begin(head);
    this.#clock.headCame();
  }

  onPiece(piece: Buffer | null, last: boolean): void {
    if (this.#settle === null) return;
    if (last) {
      this.#relay.end(piece);
      this.#finish({ kind: 'answered' });
      return;
    }
    const connection = this.#connection;
    if (piece === null || this.#relay.write(piece) || connection === null) return;
    connection.pause();
    this.#clock.awaitsReader = true;
    this.#answer.onceDrained(() => {
      // Once settled, the connection may serve another request.
      if (this.#settle === null) return;
      this.#clock.awaitsReader = false;
      connection.resume();
    });
  }

  onFailure(error: Error): void {
    if (this.#settle === null) return;
    if (error instanceof ClientLeft) return this.#finish({ kind: 'client-left' });
    if (isOperationalError(error)) return this.#finish({ kind: 'body-failed', failure: error, afterFirstByte: this.#begun });
    if (this.#begun) return this.#finish({ kind: 'broken', cause: error });
    if (error instanceof EndpointGone) return this.#finish({ kind: 'unreached', cause: error, stale: false });
    const fault = error instanceof UpstreamError ? error.fault : null;
    if (fault !== 'unreached' && fault !== 'closed') return this.#finish({ kind: 'refused', failure: error });
    this.#finish({ kind: 'unreached', cause: error, stale: error instanceof UpstreamError && error.reused });
  }

  readonly #clientLeft = (): void => this.#abandon({ kind: 'client-left' });

  readonly #late = (late: Late): void => {
    if (late === 'engine') return this.#abandon({ kind: 'silent', afterFirstByte: this.#begun });
    // Whoever takes nothing for so long has left without a word. Node tells only of a socket that has taken all it was given.
    this.#answer.breakOff();
    this.#clientLeft();
  };

  /** A whole body brings its own length; one that flows has the length that the client declared, or none. */
  #upstreamBody(body: RequestBody | null): UpstreamBody | null {
    if (body === null) return null;
    const { whole } = body;
    if (whole !== null) return { kind: 'whole', bytes: whole };
    const declared = body.declaredLength;
    return { kind: 'flowing', pieces: this.#flow(body), length: declared === undefined ? null : Number(declared) };
  }

  /** While the client is to send, the engine is not waited for. */
  async *#flow(body: RequestBody): AsyncGenerator<Buffer, void> {
    this.#clock.awaitsBody = true;
    for await (const piece of body.flow()) {
      this.#clock.awaitsBody = false;
      yield piece;
      this.#clock.awaitsBody = true;
    }
    this.#clock.awaitsBody = false;
  }

  /** Settles and closes the upstream connection, so that the engine stops generating. */
  #abandon(outcome: ExchangeOutcome): void {
    this.#connection?.destroy(null);
    this.#finish(outcome);
  }

  #finish(outcome: ExchangeOutcome): void {
    const settle = this.#settle;
    this.#settle = null;
    this.#clock.stop();
    this.#answer.watchLeaving(null);
    settle?.(outcome);
  }
}

function redirected(status: number): OperationalError {
  return new OperationalError({
    code: 'ENGINE_REDIRECTED',
    message: `The engine answered with a redirect (${status}), which Berth does not pass on. Check what it serves at this path.`,
    retryable: false,
    details: { status },
  });
}
