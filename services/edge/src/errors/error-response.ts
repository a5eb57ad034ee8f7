import type { FailureShape } from '@berth/core';
import { errorAnswer } from './error-answer.ts';

/** The failure as a `Response` in OpenAI's form, for routes that Berth answers by itself. `headers` win over the usual ones. */
export function errorResponse(failure: FailureShape, headers: Readonly<Record<string, string>> = {}): Response {
  const answer = errorAnswer(failure, 'openai');
  const response = new Response(answer.body, { status: answer.status });
  for (let at = 0; at + 1 < answer.headers.length; at += 2) response.headers.set(answer.headers[at] ?? '', answer.headers[at + 1] ?? '');
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}
