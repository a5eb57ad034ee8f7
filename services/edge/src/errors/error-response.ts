import { OperationalError } from '@berth/core';
import type { FailureShape } from '@berth/core';
import type { Dialect } from '../proxy/engine-routes.ts';
import { errorAnswer, unexpectedAnswer } from './error-answer.ts';
import type { ErrorAnswer } from './error-answer.ts';

/** In what an answer differs from what the table says of its code. */
export interface ErrorResponseOptions {
  readonly status?: number;
  /** They win over the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** OpenAI's by default. */
  readonly dialect?: Dialect;
}

/** The failure as a `Response`, for routes that Berth answers by itself. */
export function errorResponse(failure: FailureShape, options: ErrorResponseOptions = {}): Response {
  const { status, headers = {}, dialect = 'openai' } = options;
  return responseOf(errorAnswer(failure, dialect), status, headers);
}

/** The answer to a method that a path does not have. */
export function methodNotAllowed(method: string, allowed: readonly string[], dialect: Dialect = 'openai'): Response {
  const message = `${method.slice(0, 20)} is not allowed here; use ${allowed.join(' or ')}.`;
  const failure = new OperationalError({ code: 'INVALID_REQUEST', message, retryable: false });
  return errorResponse(failure, { status: 405, headers: { allow: allowed.join(', ') }, dialect });
}

/** The answer to a request on which a bug showed. */
export function unexpectedResponse(): Response {
  return responseOf(unexpectedAnswer('openai'));
}

function responseOf(answer: ErrorAnswer, status = answer.status, headers: Readonly<Record<string, string>> = {}): Response {
  const response = new Response(answer.body, { status });
  for (let at = 0; at + 1 < answer.headers.length; at += 2) response.headers.set(answer.headers[at] ?? '', answer.headers[at + 1] ?? '');
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}
