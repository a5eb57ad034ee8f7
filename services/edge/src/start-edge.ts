import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { loadCatalog, resolveCatalogPath } from '@berth/config';
import { asId } from '@berth/core';
import type { EdgeReplicaId } from '@berth/core';
import { createEdgeSession, createPlacementBoard, createPlacementClient, createRegistryReader } from '@berth/redis';
import type { RedisTarget } from '@berth/redis';
import type { MetricSet, Scrape } from '@berth/telemetry';
import { createEdgeApp } from './app.ts';
import { logAccess } from './keys/log-access.ts';
import { adminQueues } from './routes/admin-queues.ts';
import { closeGracefully, createEdgeServer, listen } from './server.ts';
import { LET_IN_PATIENCE_MS, RETRY_PAUSES_MS } from './settings.ts';
import type { EdgeSettings } from './settings.ts';
import type { EdgeLogger } from './telemetry/edge-logger.ts';
import { EdgeMetrics } from './telemetry/edge-metrics.ts';

/** Waiting requests over all models and edges. */
const MAX_WAITERS = 10_000;

/** A running edge. Disposing stops accepting, lets requests in flight end within the grace, gives all leases back and closes. */
export interface RunningEdge extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts an edge on real Redis; resolves when it listens, whether or not Redis answers yet. Throws `INVALID_CATALOG`, `PORT_TAKEN`,
 * `INVALID_SETTINGS`; what was opened before is closed again. `scrapeAll`: where this is one of several processes that answer as one, gives
 * the metrics of all.
 */
export async function startEdge(
  settings: EdgeSettings,
  logger: EdgeLogger,
  options: { readonly scrapeAll?: (own: MetricSet) => () => Promise<Scrape> } = {},
): Promise<RunningEdge> {
  await using opened = new AsyncDisposableStack();
  const { configPath } = settings;
  const catalog = loadCatalog({
    path: resolveCatalogPath({ BERTH_CONFIG: configPath ?? undefined, cwd: process.cwd() }),
    home: homedir(),
  });
  const { protocol } = catalog;
  const target: RedisTarget = { url: settings.redisUrl, hostId: catalog.host.id, log: (message, fields) => logger.warn(fields, message) };
  const replicaId = asId<EdgeReplicaId>(`edge-${randomUUID()}`);
  const registry = opened.use(createRegistryReader(target));
  const session = opened.use(
    await createEdgeSession({
      target,
      id: replicaId,
      leaseTtlMs: protocol.leases.ttlMs,
      leaseRenewMs: protocol.leases.renewMs,
      degradedMs: protocol.redis.degradedMs,
      maxWaitersPerModel: protocol.coldStart.maxWaiters,
      maxWaiters: Math.max(MAX_WAITERS, protocol.coldStart.maxWaiters),
    }),
  );
  const placements = opened.use(createPlacementClient({ target }));
  const board = opened.use(createPlacementBoard(target));
  const metrics = new EdgeMetrics({ catalog, session, nowMs });
  metrics.set.addProcess();
  const app = opened.use(
    createEdgeApp({
      catalog,
      session,
      placements,
      registry,
      logger,
      metrics,
      ...(options.scrapeAll === undefined ? {} : { scrape: options.scrapeAll(metrics.set) }),
      settings: { replicaId, reach: settings.reach, retryPausesMs: RETRY_PAUSES_MS, letInPatienceMs: LET_IN_PATIENCE_MS },
      nowMs,
      newRequestId: randomUUID,
      board: adminQueues(board.adapter),
    }),
  );
  const server = createEdgeServer(app);
  const url = await listen(server, settings);
  logAccess(logger, catalog, settings.host);
  logger.info(
    { url, models: catalog.models.length, keys: catalog.keys.length, adminKeys: catalog.adminKeys.length, reach: settings.reach },
    'edge started',
  );
  opened.defer(async () => {
    app.beginShutdown();
    await closeGracefully(server, settings.shutdownGraceMs, () => app.endWaits());
    logger.info({ inFlight: session.inFlight() }, 'edge stopped');
  });
  const running = opened.move();
  return { url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Epoch ms that never go back. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
