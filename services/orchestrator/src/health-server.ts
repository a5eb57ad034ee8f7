import { serve } from '@hono/node-server';
import type { Logger, MetricSet } from '@berth/telemetry';
import { OperationalError } from '@berth/core';
import { Hono } from 'hono';
import type { AddressInfo, Server } from 'node:net';

export interface HealthFacts {
  /** Whether this process leads its GPU host now, or stands by. */
  readonly leading: boolean;
  /** Why it can do nothing at the moment; empty when all is well. */
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

export interface HealthServer extends AsyncDisposable {
  readonly url: string;
}

/** Serves `/health/live`, `/health/ready` and `/metrics` of the orchestrator, and nothing else. Throws `PORT_TAKEN`. */
export async function serveHealth(options: {
  host: string;
  port: number;
  facts: () => HealthFacts;
  metrics: MetricSet;
  log: Logger;
}): Promise<HealthServer> {
  const app = new Hono();
  app.get('/health/live', (context) => context.json({ status: 'ok' }));
  app.get('/health/ready', (context) => {
    const facts = options.facts();
    return context.json({
      status: facts.problems.length === 0 ? 'ok' : 'degraded',
      role: facts.leading ? 'leader' : 'standby',
      problems: facts.problems,
    });
  });
  app.get('/metrics', async (context) => {
    const { contentType, text } = await options.metrics.scrape();
    return context.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' });
  });
  const server = await listen(app, options);
  const { port } = server.address() as AddressInfo;
  const url = `http://${options.host}:${port}`;
  options.log.info({ url }, 'health server listened');
  return {
    url,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

function listen(app: Hono, { host, port }: { host: string; port: number }): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(server)) as Server;
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new OperationalError({
          code: 'PORT_TAKEN',
          message: `The orchestrator cannot listen on ${host}:${port} (${cause.code ?? cause.message}). Choose another port with BERTH_ORCHESTRATOR_PORT.`,
          retryable: false,
          cause,
        }),
      ),
    );
  });
}
