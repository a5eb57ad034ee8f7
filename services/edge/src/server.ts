import { once } from 'node:events';
import { Server } from 'node:http';
import type { IncomingMessage, RequestListener, ServerOptions, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, RequestError } from '@hono/node-server';
import { OperationalError } from '@berth/core';
import type { EdgeApp } from './app.ts';
import { PlainConnections } from './downstream/plain-connections.ts';
import { unexpectedResponse } from './errors/error-response.ts';
import { expectContinue } from './proxy/expect-continue.ts';
import {
  answerRefusal,
  LONGEST_HEAD_BYTES,
  NO_REQUEST,
  NO_TUNNELS,
  NO_URL,
  refusalOf,
  refusalOfError,
  refusalResponse,
  UNKNOWN_EXPECTATION,
  writeRefusal,
} from './server-limits.ts';

/** How long a client may take for the head of its request. */
const HEAD_TIMEOUT_MS = 60_000;
/** Longer than the idle timeouts of usual reverse proxies and clients, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How often connections that have become idle are closed while the server goes. */
const SWEEP_MS = 50;
/** How long idle ones are left open then: clients that are about to use theirs are served once more, and told that it ends. */
const NOTICE_MS = 100;
/** The rest of the grace is for telling those who wait that they must come back. */
const GRACE_FOR_ENGINES = 0.8;

/**
 * The HTTP server around the application, not listening yet. Node's own `requestTimeout` is off: a request may wait for its model for as
 * long as the edge's own deadlines say. What is no proper request is refused here, in the form that clients know.
 */
export function createEdgeServer(app: EdgeApp): Server {
  const serve = getRequestListener(app.hono.fetch, {
    overrideGlobalObjects: false,
    // Clients of HTTP/1.0 need not name one; no route looks at it.
    hostname: 'localhost',
    errorHandler: (error) => (error instanceof RequestError ? refusalResponse(NO_URL) : unexpectedResponse()),
  });
  const take = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const refusal = refusalOf(incoming);
    if (refusal !== null) return answerRefusal(refusal, outgoing);
    if (outgoing.socket === null) closeWithConnection(incoming, outgoing);
    server.note(outgoing);
    if (!app.engine.take(incoming, outgoing)) void serve(incoming, outgoing);
  };
  const server = new EdgeServer(
    app,
    {
      requestTimeout: 0,
      headersTimeout: HEAD_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      maxHeaderSize: LONGEST_HEAD_BYTES,
      requireHostHeader: false,
    },
    take,
  );
  server.maxHeadersCount = 0;
  server.on('checkContinue', (incoming, outgoing) => {
    expectContinue(incoming, outgoing);
    take(incoming, outgoing);
  });
  server.on('checkExpectation', (_, outgoing) => answerRefusal(UNKNOWN_EXPECTATION, outgoing));
  server.on('connect', (_, socket) => writeRefusal(NO_TUNNELS, socket));
  server.on('clientError', refuseMalformed);
  return server;
}

/** Node's server behind the connections whose requests are all plain. Those it knows of by itself are the ones handed over to it. */
class EdgeServer extends Server {
  readonly #plain: PlainConnections;
  readonly #answers = new Set<ServerResponse>();
  /** By `performance.now()`. */
  #noticedUntilMs = 0;

  constructor({ engine, plainBodyBytes }: EdgeApp, options: ServerOptions, take: RequestListener) {
    super(options, take);
    const listeners = this.listeners('connection');
    this.#plain = new PlainConnections({
      keepAliveMs: KEEP_ALIVE_TIMEOUT_MS,
      bodyBytes: plainBodyBytes,
      isRoute: (path) => engine.has(path),
      serve: (request, sink) => engine.serve(request, sink),
      handOver: (socket) => {
        for (const listener of listeners) Reflect.apply(listener, this, [socket]);
      },
      refuseHalf: (socket) => writeRefusal(NO_REQUEST, socket),
    });
    this.removeAllListeners('connection').on('connection', (socket) => this.#plain.accept(socket));
  }

  /** An answer of Node's: the last on its connection, when its head goes out after the begin of the end. */
  note(outgoing: ServerResponse): void {
    if (!this.listening) outgoing.shouldKeepAlive = false;
    this.#answers.add(outgoing);
    outgoing.once('close', () => this.#answers.delete(outgoing));
  }

  override close(callback?: (error?: Error) => void): this {
    for (const answer of this.#answers) if (!answer.headersSent) answer.shouldKeepAlive = false;
    this.#noticedUntilMs = performance.now() + NOTICE_MS;
    this.#plain.endWithAnswers();
    return super.close(callback);
  }

  override closeIdleConnections(): void {
    if (performance.now() < this.#noticedUntilMs) return;
    super.closeIdleConnections();
    this.#plain.closeIdle();
  }

  override closeAllConnections(): void {
    super.closeAllConnections();
    this.#plain.closeAll();
  }
}

/** A broken request; where an answer is on its way in the same connection, only the end of the connection can tell. */
function refuseMalformed(error: Error, socket: Duplex): void {
  // What Node's own handler looks at: the answer that is being written to this socket.
  const answer: unknown = Reflect.get(socket, '_httpMessage');
  const answering = typeof answer === 'object' && answer !== null && Reflect.get(answer, 'headersSent') === true;
  if (socket.writable && !answering) writeRefusal(refusalOfError(Reflect.get(error, 'code')), socket);
  else socket.destroy(error);
}

/**
 * Node tells an answer of the end of its connection only once it is written there; one that is queued behind another (a pipelined request)
 * would never learn that its client is gone.
 */
function closeWithConnection(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const closed = (): void => {
    outgoing.destroyed = true;
    outgoing.emit('close');
  };
  // As many may be queued as the client sends ahead.
  incoming.socket.setMaxListeners(0).once('close', closed);
  outgoing.once('socket', () => incoming.socket.off('close', closed));
}

/** Resolves with the URL it listens at. Throws `PORT_TAKEN`, and `INVALID_SETTINGS` for an address that is not this machine's. */
export async function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<string> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const taken = error instanceof Error && Reflect.get(error, 'code') === 'EADDRINUSE';
    throw new OperationalError({
      code: taken ? 'PORT_TAKEN' : 'INVALID_SETTINGS',
      message: taken
        ? `Port ${port} of ${host} is in use by another program. Stop it, or set BERTH_PORT to a free port.`
        : `The edge cannot listen at ${host}:${port}. Set BERTH_HOST to an address of this machine.`,
      retryable: false,
      details: { host, port },
      cause: error,
    });
  }
  const address = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

/**
 * Accepts no further connection, ends those it has behind their next answer, or when they are idle, and cuts what is left after so long.
 * `onGraceEnding` is called in time for answers to those whose requests no engine has yet.
 */
export async function closeGracefully(server: Server, graceMs: number, onGraceEnding: () => void): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  // Behind the reads of the same turn: a connection on which a request has come is not idle.
  const sweep = setInterval(() => setImmediate(() => server.closeIdleConnections()), SWEEP_MS);
  const ending = setTimeout(onGraceEnding, graceMs * GRACE_FOR_ENGINES);
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  try {
    await closed;
  } finally {
    clearInterval(sweep);
    clearTimeout(ending);
    clearTimeout(cut);
  }
}
