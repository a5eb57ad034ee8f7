import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EngineDeadError } from '../gate.ts';
import type { Serving } from '../serving.ts';
import { ApiError, internalError, invalidJson, pythonJson, unsupportedMediaType } from './api-error.ts';

/** One request and the ways to answer it. `signal` aborts when the client goes away before its answer is complete. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly serving: Serving;
  readonly url: URL;
  readonly signal: AbortSignal;
  /** Body ids are made of this: 16 hex digits, or the request's `X-Request-Id`. */
  readonly requestId: string;
}

export type Handler = (exchange: Exchange) => Promise<void> | void;

/** A JSON body as it came; each route checks the fields it uses. */
export type Body = Record<string, unknown>;

export function createExchange(request: IncomingMessage, response: ServerResponse, serving: Serving): Exchange {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const given = request.headers['x-request-id'];
  return {
    request,
    response,
    serving,
    url: new URL(`http://engine${request.url ?? '/'}`),
    signal: gone.signal,
    requestId: typeof given === 'string' && given !== '' ? given : randomBytes(8).toString('hex'),
  };
}

/** Reads the whole body as JSON. Throws vLLM's errors for another media type and for broken JSON. */
export async function readJsonBody(exchange: Exchange): Promise<Body> {
  const bytes = await readBody(exchange);
  if (!/^application\/(?:json|[^;]+\+json)\b/.test(exchange.request.headers['content-type'] ?? '')) throw unsupportedMediaType();
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Body) : {};
  } catch (cause) {
    throw invalidJson(text, cause);
  }
}

export async function readBody(exchange: Exchange): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of exchange.request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Answers with uvicorn's headers in uvicorn's order; no `connection` header, and none that node would add. */
export function sendHead(exchange: Exchange, status: number, headers: Readonly<Record<string, string>>): void {
  const { response, serving } = exchange;
  response.removeHeader('connection');
  response.sendDate = false;
  const idHeader = serving.arguments.enableRequestIdHeaders ? { 'x-request-id': exchange.requestId } : {};
  response.writeHead(status, { date: new Date().toUTCString(), server: 'uvicorn', ...headers, ...idHeader });
}

export function sendJson(exchange: Exchange, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  const text = JSON.stringify(value);
  const length = String(Buffer.byteLength(text));
  sendHead(exchange, status, { 'content-length': length, 'content-type': 'application/json', vary: 'Origin', ...headers });
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : text);
}

export function sendEmpty(exchange: Exchange, status: number): void {
  sendHead(exchange, status, { 'content-length': '0', vary: 'Origin' });
  exchange.response.end();
}

/** Any failure of a route as the error that vLLM answers with. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return internalError(error instanceof EngineDeadError || error instanceof Error ? error.message : String(error));
}

/**
 * Streams server-sent events. The head goes out at once, before anything is scheduled (vLLM 0.32.0, measured), so what fails later is an
 * error frame. `onError` makes those frames: by default OpenAI's form with `[DONE]` behind it.
 */
export async function sendEvents(
  exchange: Exchange,
  frames: AsyncIterable<string>,
  onError: (error: ApiError) => string = (error) => `data: ${pythonJson(error.body)}\n\ndata: [DONE]\n\n`,
): Promise<void> {
  const { response, serving, signal } = exchange;
  sendHead(exchange, 200, { 'content-type': 'text/event-stream; charset=utf-8', vary: 'Origin' });
  response.flushHeaders();
  const keepAliveMs = serving.arguments.sseKeepAliveMs;
  const keepAlive = keepAliveMs === undefined ? undefined : setInterval(() => response.write(': keep-alive\n\n'), keepAliveMs);
  try {
    for await (const frame of frames) {
      if (!response.write(frame)) await drained(exchange);
      keepAlive?.refresh();
    }
  } catch (error) {
    if (signal.aborted) return;
    response.write(onError(toApiError(error)));
  } finally {
    clearInterval(keepAlive);
  }
  response.end();
}

async function drained(exchange: Exchange): Promise<void> {
  const { response, signal } = exchange;
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      response.off('drain', finish);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    response.on('drain', finish);
    signal.addEventListener('abort', finish);
  });
}
