import { ApiError, badRequest } from '../http/api-error.ts';
import { sendEvents, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';

/**
 * `GET /v1/responses/{response_id}`. Only background responses can be streamed again, and there are none here (vLLM
 * vllm/entrypoints/openai/responses/serving.py): the head is sent, and then the error.
 */
export async function storedResponse(exchange: Exchange): Promise<void> {
  const id = idOf(exchange);
  const response = find(exchange, id);
  if (exchange.url.searchParams.get('stream') !== 'true') return sendJson(exchange, 200, response);
  await sendEvents(exchange, unknownEvents(id));
}

/** `POST /v1/responses/{response_id}/cancel`. */
export function cancelStoredResponse(exchange: Exchange): void {
  find(exchange, idOf(exchange));
  throw new ApiError(400, 'invalid_request_error', 'Cannot cancel a synchronous response.', 'response_id');
}

function find({ serving }: Exchange, id: string): unknown {
  const response = serving.storedResponses?.get(id);
  if (response === undefined) throw new ApiError(404, 'invalid_request_error', `Response with id '${id}' not found.`, 'response_id');
  return response;
}

function idOf({ url }: Exchange): string {
  return url.pathname.split('/')[3] ?? '';
}

/** Fails before its first event. */
function unknownEvents(id: string): AsyncIterable<string> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(badRequest(`Unknown response_id: ${id}`, 'response_id')) }) };
}
