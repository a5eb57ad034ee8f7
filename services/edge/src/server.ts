import { once } from 'node:events';
import { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { OperationalError } from '@berth/core';
import type { EdgeApp } from './app.ts';

/** How long a client may take for the head of its request. */
const HEAD_TIMEOUT_MS = 60_000;
/** Longer than the idle timeouts of usual reverse proxies and clients, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** How often connections that have become idle are closed while the server goes. */
const SWEEP_MS = 50;
/** The rest of the grace is for telling those who wait that they must come back. */
const GRACE_FOR_ENGINES = 0.8;

/**
 * The HTTP server around the application, not listening yet. Node's own `requestTimeout` is off: a request may wait for its model for as
 * long as the edge's own deadlines say.
 */
export function createEdgeServer(app: EdgeApp): Server {
  const server = createAdaptorServer({
    fetch: app.hono.fetch,
    overrideGlobalObjects: false,
    serverOptions: { requestTimeout: 0, headersTimeout: HEAD_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS, noDelay: true },
  });
  if (!(server instanceof Server)) throw new TypeError('an HTTP/1.1 server was asked for');
  return server;
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
 * Accepts nothing more, lets requests in flight end for so long, then cuts what is left. `onGraceEnding` is called in time for answers to
 * those whose requests no engine has yet.
 */
export async function closeGracefully(server: Server, graceMs: number, onGraceEnding: () => void): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
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
