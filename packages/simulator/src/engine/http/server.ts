import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ClientGoneError } from '../gate.ts';
import { createLog } from '../log.ts';
import type { Serving } from '../serving.ts';
import { createExchange, sendHead, sendJson, toApiError } from './exchange.ts';
import type { Exchange, Handler } from './exchange.ts';

export interface Route {
  method: 'GET' | 'POST';
  /** As vLLM prints it; a part in braces stands for any one part. */
  path: string;
  handler: Handler;
}

export interface EngineServer {
  /** Resolves when the port accepts connections; rejects with `EADDRINUSE` and the like. */
  listen(port: number, host: string): Promise<void>;
  /** Stops listening, closes connections without a request, and resolves when the clients have closed the others. */
  close(): Promise<void>;
}

/** The HTTP side of the API server: routing, authentication, the access log and uvicorn's ways. */
export function createEngineServer(serving: Serving, routes: readonly Route[]): EngineServer {
  const busy = new Set<Socket>();
  const sockets = new Set<Socket>();
  const server = createServer({ keepAliveTimeout: serving.keepAliveMs, requestTimeout: 0, headersTimeout: 0, maxHeaderSize: 128 * 1024 });
  server.keepAliveTimeoutBuffer = 0;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    busy.add(request.socket);
    response.on('close', () => {
      busy.delete(request.socket);
      if (!server.listening) request.socket.destroySoon();
    });
    void answer(createExchange(request, response, serving), routes);
  });
  server.on('clientError', (_error, socket) => {
    const text = 'Invalid HTTP request received.';
    socket.end(
      `HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
    );
  });
  return {
    listen: async (port, host) => await listen(server, port, host),
    close: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) if (!busy.has(socket)) socket.destroySoon();
      });
    },
  };
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

async function answer(exchange: Exchange, routes: readonly Route[]): Promise<void> {
  const { request, response, serving, url } = exchange;
  const { pathname } = url;
  const method = request.method ?? 'GET';
  const candidates = routes.filter((route) => matches(route.path, pathname));
  response.on('finish', () => {
    serving.metrics.countHttp(candidates[0]?.path ?? 'none', method, response.statusCode);
    const { remoteAddress = '', remotePort = 0 } = request.socket;
    const log = createLog('APIServer');
    log.raw(
      `INFO:     ${remoteAddress}:${remotePort} - "${method} ${request.url ?? '/'} HTTP/1.1" ${response.statusCode} ${response.statusMessage}`,
    );
  });
  try {
    if (!isAuthorized(exchange)) return unauthorized(exchange);
    if (method === 'OPTIONS' && request.headers.origin !== undefined && request.headers['access-control-request-method'] !== undefined) {
      return sendText(exchange, 400, 'Disallowed CORS origin');
    }
    if (pathname.length > 1 && pathname.endsWith('/') && routes.some((route) => route.path === pathname.slice(0, -1))) {
      sendHead(exchange, 307, {
        'content-length': '0',
        location: `http://${request.headers.host ?? ''}${pathname.slice(0, -1)}${url.search}`,
      });
      return void response.end();
    }
    const route = candidates.find((candidate) => candidate.method === method);
    if (route !== undefined) return await route.handler(exchange);
    if (candidates.length === 0) return sendJson(exchange, 404, { detail: 'Not Found' });
    sendJson(exchange, 405, { detail: 'Method Not Allowed' }, { allow: candidates.map((candidate) => candidate.method).join(', ') });
  } catch (error) {
    if (error instanceof ClientGoneError || exchange.signal.aborted) return;
    const failure = toApiError(error);
    if (!response.headersSent) sendJson(exchange, failure.status, failure.body);
  }
}

function matches(path: string, pathname: string): boolean {
  if (!path.includes('{')) return path === pathname;
  const [wanted, given] = [path.split('/'), pathname.split('/')];
  return wanted.length === given.length && wanted.every((part, at) => part === given[at] || (part.startsWith('{') && given[at] !== ''));
}

/** The key guards these prefixes only; everything else is open (vLLM's authentication middleware). */
function isAuthorized({ request, serving, url }: Exchange): boolean {
  const { apiKeys } = serving.arguments;
  if (apiKeys.length === 0 || request.method === 'OPTIONS') return true;
  if (!['/v1', '/v2', '/inference', '/cohere'].some((prefix) => url.pathname.startsWith(prefix))) return true;
  return apiKeys.some((key) => request.headers.authorization === `Bearer ${key}`);
}

function unauthorized(exchange: Exchange): void {
  const text = JSON.stringify({ error: 'Unauthorized' });
  sendHead(exchange, 401, { 'content-length': String(text.length), 'content-type': 'application/json' });
  exchange.response.end(text);
}

export function sendText(exchange: Exchange, status: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
  sendHead(exchange, status, { 'content-length': String(Buffer.byteLength(text)), 'content-type': contentType, vary: 'Origin' });
  exchange.response.end(text);
}
