import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadCatalog } from '@berth/config';
import type { Catalog } from '@berth/config';
import { createEdgeApp } from '../app.ts';
import type { EdgeApp } from '../app.ts';
import { closeGracefully, createEdgeServer } from '../server.ts';
import type { EdgeLogger } from '../telemetry/edge-logger.ts';
import { EdgeMetrics } from '../telemetry/edge-metrics.ts';
import { FakeHost } from './fake-host.ts';

/** The catalog of a test that names no other; its waits are short. */
export const TEST_CATALOG = `
host: { runtime: process }
coldStart: { wait: 2s, streamWait: 3s, heartbeatAfter: 100ms, heartbeatEvery: 50ms }
models:
  tiny:
    source: org/tiny
    aliases: [gpt-4o-mini, org/alias]
  plain:
    engine: openai
    command: ["plain-engine", "{port}"]
    aliases: [plain-alias]
    gpus: 0
`;

/** A line that the edge logged. */
export interface LoggedLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An edge on a socket of its own, over a registry in memory. */
export class TestEdge implements AsyncDisposable {
  readonly host = new FakeHost();
  readonly lines: LoggedLine[] = [];
  readonly app: EdgeApp;
  readonly url: string;
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server, app: EdgeApp, host: FakeHost, lines: LoggedLine[]) {
    this.#server = server;
    this.app = app;
    this.host = host;
    this.lines = lines;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** `yaml` replaces the catalog of two models. */
  static async start(
    options: { readonly yaml?: string; readonly retryPausesMs?: readonly number[]; readonly letInPatienceMs?: number } = {},
  ): Promise<TestEdge> {
    const host = new FakeHost();
    const lines: LoggedLine[] = [];
    let ids = 0;
    const catalog = testCatalog(options.yaml);
    const app = createEdgeApp({
      catalog,
      metrics: new EdgeMetrics({ catalog, session: host, nowMs }),
      session: host,
      placements: host,
      registry: host,
      logger: collectingLogger(lines),
      settings: {
        replicaId: 'edge-1',
        reach: 'loopback',
        retryPausesMs: options.retryPausesMs ?? [1, 1],
        letInPatienceMs: options.letInPatienceMs ?? 60_000,
      },
      nowMs,
      newRequestId: () => `request-${(ids += 1)}`,
    });
    // Every request through Node's own server: the same guarantees hold there (see vitest.config.ts).
    const server = createEdgeServer(process.env['BERTH_TEST_PLAIN'] === 'off' ? { ...app, plainBodyBytes: -1 } : app);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TestEdge(server, app, host, lines);
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}, signal?: AbortSignal): Promise<Response> {
    return fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Stops it as a signal does. */
  close(graceMs: number): Promise<void> {
    this.app.beginShutdown();
    return closeGracefully(this.#server, graceMs, () => this.app.endWaits());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close(0);
    await this.app[Symbol.asyncDispose]();
  }
}

export function testCatalog(text: string = TEST_CATALOG): Catalog {
  return loadCatalog({ path: '/catalog/berth.yaml', home: '/home/user', text });
}

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function collectingLogger(lines: LoggedLine[]): EdgeLogger {
  const collect =
    (level: LoggedLine['level']) =>
    (fields: object, message: string): void =>
      void lines.push({ level, message, fields: { ...fields } });
  return { info: collect('info'), warn: collect('warn'), error: collect('error') };
}
