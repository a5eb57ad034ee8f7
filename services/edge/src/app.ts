import { Hono } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import type { Catalog } from '@berth/config';
import type { EdgeSession, PlacementClient, RegistryReader } from '@berth/core';
import { OperationalError } from '@berth/core';
import type { Scrape } from '@berth/telemetry';
import { errorResponse, unexpectedResponse } from './errors/error-response.ts';
import { adminGate } from './keys/admin-gate.ts';
import { ApiAccess } from './keys/api-access.ts';
import { EndpointWaits } from './placement/endpoint-waits.ts';
import { LetInGate } from './placement/let-in-gate.ts';
import { PlacementWatch } from './placement/placement-watch.ts';
import { SharedPlacements } from './placement/shared-placements.ts';
import { WishList } from './placement/wish-list.ts';
import { EngineProxy } from './proxy/engine-proxy.ts';
import { ResponseById } from './proxy/response-by-id.ts';
import { canonicalPath } from './proxy/request-path.ts';
import { Upstreams } from './upstream/upstreams.ts';
import { adminModels } from './routes/admin-models.ts';
import { BOARD_PATH } from './routes/admin-queues.ts';
import { adminState } from './routes/admin-state.ts';
import { engineRoutes, otherMethod } from './routes/engine.ts';
import type { EngineRoutes } from './routes/engine.ts';
import { frontPage } from './routes/front-page.ts';
import { health } from './routes/health.ts';
import { metricsRoute } from './routes/metrics.ts';
import { models } from './routes/models.ts';
import { storedResponses } from './routes/responses.ts';
import { warm } from './routes/warm.ts';
import type { EdgeAppSettings } from './settings.ts';
import type { EdgeLogger } from './telemetry/edge-logger.ts';
import type { EdgeMetrics } from './telemetry/edge-metrics.ts';
import { RequestLog } from './telemetry/request-log.ts';

export interface EdgeAppParts {
  readonly catalog: Catalog;
  readonly session: EdgeSession;
  readonly placements: PlacementClient;
  readonly registry: RegistryReader;
  readonly logger: EdgeLogger;
  readonly metrics: EdgeMetrics;
  /** What `GET /metrics` answers, where that is more than this process' own metrics. */
  readonly scrape?: () => Promise<Scrape>;
  readonly settings: EdgeAppSettings;
  /** Epoch ms that never go back. */
  readonly nowMs: () => number;
  readonly newRequestId: () => string;
  /** Bull Board, mounted under `/admin/queues`. */
  readonly board?: Hono;
}

export type EdgeEnv = { Bindings: HttpBindings };

/** The edge's HTTP application, and the end of it. */
export interface EdgeApp extends AsyncDisposable {
  /** Asked first. */
  readonly engine: EngineRoutes;
  /** Bodies up to this size may be read whole before the application sees their request. */
  readonly plainBodyBytes: number;
  /** Everything else. */
  readonly hono: Hono<EdgeEnv>;
  /** From now on `/health/ready` says that this edge goes. */
  beginShutdown(): void;
  /** Answers those who wait for a model: another edge, or this one after its restart, serves them when they come back. */
  endWaits(): void;
}

/**
 * Builds the application from its ports. Requests that two readers could take for different paths get 404 before any route sees them.
 * Disposing destroys the sockets to engines; the session and the placement client are their owner's to close.
 */
export function createEdgeApp(parts: EdgeAppParts): EdgeApp {
  const { catalog, session, settings, nowMs, board } = parts;
  const { bodies } = catalog.protocol;
  const watch = new PlacementWatch(parts.registry);
  const wishes = new WishList(parts.registry, settings.replicaId, nowMs);
  const upstreams = new Upstreams({ reach: settings.reach, connectTimeoutMs: catalog.protocol.requests.connectTimeoutMs });
  session.onLeaseEnding((generation) => upstreams.closeFor(generation));
  const waits = new EndpointWaits({
    ...parts,
    placements: new SharedPlacements(parts.placements),
    watch,
    wishes,
    gate: new LetInGate({ first: catalog.protocol.coldStart.letIn, patienceMs: settings.letInPatienceMs }),
  });
  const requestLog = new RequestLog(parts.logger, settings.replicaId);
  const keys = new ApiAccess(catalog, nowMs);
  const proxy = new EngineProxy({
    ...parts,
    keys,
    requestLog,
    upstreams,
    waits,
    watch,
    protocol: catalog.protocol,
    retryPausesMs: settings.retryPausesMs,
  });
  const gate = adminGate(catalog);
  const lifecycle = { shuttingDown: false };

  const hono = new Hono<EdgeEnv>({ getPath: (request, options) => pathOf(options?.env?.incoming.url ?? targetOf(request.url)) });
  hono.use('/', gate);
  hono.use('/admin/*', gate);
  hono.route('/', storedResponses(new ResponseById({ ...parts, keys, requestLog, upstreams, watch, protocol: catalog.protocol })));
  hono.route('/', models({ catalog, keys, watch }));
  hono.route('/', metricsRoute(parts.scrape ?? (() => parts.metrics.set.scrape())));
  hono.route('/', warm({ ...parts, keys, watch }));
  hono.route('/', health({ session, watch, lifecycle, nowMs }));
  hono.route('/', adminState({ catalog, watch }));
  hono.route('/', adminModels({ catalog, registry: parts.registry, newId: parts.newRequestId }));
  hono.route('/', frontPage({ catalog, watch }));
  if (board !== undefined) {
    hono.get(`${BOARD_PATH}/`, (context) => context.redirect(BOARD_PATH));
    // An application of its own: its overlapping patterns would keep Hono from using its fastest router for all routes.
    const queues = new Hono<EdgeEnv>().route(BOARD_PATH, board);
    hono.all(BOARD_PATH, (context) => queues.fetch(context.req.raw, context.env));
    hono.all(`${BOARD_PATH}/*`, (context) => queues.fetch(context.req.raw, context.env));
  }
  hono.onError((error, context) => {
    parts.logger.error({ route: context.req.path.slice(0, 200), err: error }, 'request handler failed');
    return unexpectedResponse();
  });
  hono.notFound((context) => {
    const { method, path } = context.req;
    const message = path === NOWHERE ? 'There is nothing at such a path here.' : `There is no ${method} ${path.slice(0, 200)} here.`;
    const nothing = new OperationalError({ code: 'INVALID_REQUEST', message, retryable: false });
    return otherMethod(context) ?? errorResponse(nothing, { status: 404 });
  });

  return {
    engine: engineRoutes(proxy),
    plainBodyBytes: Math.min(PLAIN_BODY_BYTES, bodies.limitBytes, bodies.retryLimitBytes),
    hono,
    beginShutdown: () => {
      lifecycle.shuttingDown = true;
    },
    endWaits: () => waits.endAll(),
    async [Symbol.asyncDispose]() {
      watch[Symbol.dispose]();
      await upstreams[Symbol.asyncDispose]();
    },
  };
}

/** What is larger costs so much to read and send that it does not matter who reads its head. */
const PLAIN_BODY_BYTES = 64 * 1024;

/** A path that no route has stands for every target that is not canonical. */
const NOWHERE = '/\u0000';

function pathOf(target: string): string {
  return canonicalPath(target) ?? NOWHERE;
}

/** Of a request that did not come through a socket. */
function targetOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('//') + 2));
}
