import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type EngineHandler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** What an engine saw of one request. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  /** Resolves when the connection closed before the answer was complete. */
  readonly aborted: Promise<void>;
}

/** An HTTP server that stands where an engine would, and answers as a test says. */
export class FakeEngine implements AsyncDisposable {
  readonly seen: SeenRequest[] = [];
  readonly sockets = new Set<Socket>();
  readonly url: string;
  handler: EngineHandler;
  /** Sockets accepted since the start. */
  connections = 0;
  readonly #server: Server;

  private constructor(server: Server, handler: EngineHandler) {
    const { port } = server.address() as AddressInfo;
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    this.handler = handler;
    server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
    server.on('request', (request, response) => this.#take(request, response));
  }

  /** `keepAliveTimeoutMs`: how long it keeps an idle connection; vLLM keeps it for 5 s. */
  static async start(handler: EngineHandler, keepAliveTimeoutMs = 5000): Promise<FakeEngine> {
    const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs, requestTimeout: 0 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeEngine(server, handler);
  }

  /** The next request that arrives. */
  async next(): Promise<SeenRequest> {
    const known = this.seen.length;
    for (;;) {
      const request = this.seen[known];
      if (request !== undefined) return request;
      await once(this.#server, 'seen');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = [];
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    response.on('close', () => {
      if (!response.writableFinished) resolve();
    });
    request.on('error', () => undefined);
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const body = Buffer.concat(pieces);
      this.seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body, aborted });
      this.#server.emit('seen');
      this.handler(request, response, body);
    });
  }
}

/** A chat completion as vLLM 0.32.0 writes it, shortened. */
export function completionBody(model: string, content = 'hello'): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, total_tokens: 2, completion_tokens: 1 },
  });
}

/** One frame of a streamed chat completion. */
export function chunkFrame(model: string, content: string): string {
  const chunk = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model,
    choices: [{ index: 0, delta: { content }, finish_reason: null }],
  };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

/** Answers chat completions, streamed or not, like an engine that serves one model. */
export function chatHandler(model: string): EngineHandler {
  return (_, response, body) => {
    const asked: unknown = JSON.parse(body.toString('utf8'));
    const stream = typeof asked === 'object' && asked !== null && Reflect.get(asked, 'stream') === true;
    if (!stream) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(completionBody(model));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    for (const word of ['one ', 'two ', 'three']) response.write(chunkFrame(model, word));
    response.end('data: [DONE]\n\n');
  };
}
