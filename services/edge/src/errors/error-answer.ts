import type { FailureShape } from '@berth/core';
import type { Dialect } from '../proxy/engine-routes.ts';
import { HTTP_ERRORS, retryAfterSeconds } from './error-table.ts';

/** A complete answer that tells a failure. `headers` is flat: name, value, name, value. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** What goes wrong inside a stream, in our form or as an engine told it. */
export interface StreamFault {
  /** The HTTP status of an answer that says the same. */
  readonly status: number;
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | number | null;
}

/** Anthropic's error types by HTTP status (its API reference, "Errors"). */
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
};

/** The failure in OpenAI's words. */
export function faultOf(failure: FailureShape): StreamFault {
  const { status, type, code } = HTTP_ERRORS[failure.code];
  const param = failure.details?.['param'];
  return { status, message: failure.message, type, param: typeof param === 'string' ? param : null, code };
}

/**
 * The failure as an HTTP answer in the form that the route's clients raise. `x-should-retry: false` keeps the official OpenAI clients, which
 * retry every 5xx by themselves, from repeating a call that cannot succeed.
 */
export function errorAnswer(failure: FailureShape, dialect: Dialect): ErrorAnswer {
  const { status } = HTTP_ERRORS[failure.code];
  const extra: string[] = [];
  const seconds = retryAfterSeconds(failure);
  if (seconds !== null) extra.push('retry-after', String(seconds));
  // A 401 must say how to authenticate (RFC 9110 §15.5.2), a Bearer challenge with at least one parameter (RFC 6750 §3).
  if (status === 401) extra.push('www-authenticate', 'Bearer realm="Berth"');
  if (status >= 500 && !failure.retryable) extra.push('x-should-retry', 'false');
  return answerOf(faultOf(failure), dialect, extra);
}

/** What a client learns of a bug. */
export const UNEXPECTED_FAULT: StreamFault = {
  status: 500,
  message: 'Berth failed on this request in a way it does not expect; its log tells more.',
  type: 'server_error',
  param: null,
  code: 'INTERNAL',
};

/** The answer to a request on which a bug showed. */
export function unexpectedAnswer(dialect: Dialect): ErrorAnswer {
  return answerOf(UNEXPECTED_FAULT, dialect, []);
}

/**
 * The frame that makes a client's SDK raise from inside a stream: OpenAI's look for `error` in a frame's data, Anthropic's for
 * `event: error`, and the responses API has an `error` event of its own. No `[DONE]` follows.
 */
export function errorFrame(fault: StreamFault, dialect: Dialect): string {
  if (dialect === 'messages') return `event: error\ndata: ${JSON.stringify(anthropicBody(fault))}\n\n`;
  if (dialect === 'openai') return `data: ${JSON.stringify(openaiBody(fault))}\n\n`;
  const { code, message, param } = fault;
  return `event: error\ndata: ${JSON.stringify({ type: 'error', code, message, param, sequence_number: 0 })}\n\n`;
}

function answerOf(fault: StreamFault, dialect: Dialect, extra: readonly string[]): ErrorAnswer {
  const body = JSON.stringify(dialect === 'messages' ? anthropicBody(fault) : openaiBody(fault));
  return {
    status: fault.status,
    headers: ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(body)), ...extra],
    body,
  };
}

function openaiBody({ message, type, param, code }: StreamFault): object {
  return { error: { message, type, param, code } };
}

function anthropicBody({ status, message }: StreamFault): object {
  return { type: 'error', error: { type: ANTHROPIC_TYPES[status] ?? 'api_error', message } };
}
