import type { EngineRuntime, InstallationId, NvidiaSmiRunner } from '@berth/core';
import { engineEnvironment, loadCatalog, launchSignature, resolveCatalogPath, type Catalog } from '@berth/config';
import { createGpuProbe } from '@berth/nvidia';
import {
  checkServer,
  createEndpointRegistry,
  createFootprintStore,
  createLeadership,
  createPlacementWorker,
  openInstallation,
  type RedisTarget,
} from '@berth/redis';
import { createLogger, createSieve, type Logger } from '@berth/telemetry';
import { randomUUID } from 'node:crypto';
import { homedir, hostname } from 'node:os';
import { dirname } from 'node:path';
import { createEngineClient } from './engine-client.ts';
import { serveHealth } from './health-server.ts';
import { openRuntime } from './open-runtime.ts';
import type { OrchestratorSettings } from './settings.ts';
import { GpuMonitor } from './tasks/gpu-monitor.ts';
import { OrchestratorMetrics } from './telemetry/orchestrator-metrics.ts';
import { HostClock } from './term/host-clock.ts';
import { runTerm } from './term/run-term.ts';
import type { Host } from './term/term-context.ts';

const GPU_RETRY_MS = 10_000;

export interface Orchestrator extends AsyncDisposable {
  /** Of its health server. */
  readonly url: string;
  /** Rejects when a bug ended it. */
  readonly ended: Promise<void>;
}

/**
 * Starts one orchestrator: it takes part in the election and works while it leads. Disposing ends its term and leaves every endpoint
 * running, for adoption. Throws `INVALID_CATALOG`, `INVALID_SETTINGS`, `REDIS_UNAVAILABLE`, `FOOTPRINTS_UNREADABLE`, `PORT_TAKEN`;
 * what was opened before is closed again.
 */
export async function startOrchestrator(settings: OrchestratorSettings): Promise<Orchestrator> {
  const catalog = readCatalog(settings);
  const secrets = secretsOf(settings, catalog);
  const log = createLogger({ service: 'orchestrator', level: settings.logLevel, secrets });
  for (const warning of catalog.warnings) log.warn({ line: warning.line, key: warning.key }, warning.message);
  log.info({ models: catalog.models.map((model) => model.name), runtime: catalog.host.runtime }, 'catalog read');
  const target: RedisTarget = {
    url: settings.redisUrl.reveal(),
    hostId: catalog.host.id,
    log: (message, fields) => log.warn(fields, message),
  };
  for (const warning of (await checkServer(target)).warnings) log.warn({ warning }, 'redis settings looked at');

  await using opened = new AsyncDisposableStack();
  const { protocol } = catalog;
  const installationId = await openInstallation(dirname(settings.footprintsFile));
  const footprints = opened.use(await createFootprintStore({ target, file: settings.footprintsFile }));
  const registry = opened.use(createEndpointRegistry({ target, leaseTtlMs: protocol.leases.ttlMs, leaseQuietMs: protocol.leases.quietMs }));
  const jobs = opened.use(createPlacementWorker({ target }));
  const leadership = opened.use(
    createLeadership({ target, id: `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`, ...protocol.leader }),
  );
  const { runtime, nvidiaSmi } = await openRuntime({ settings, catalog, installationId });

  const sieve = createSieve(secrets);
  const problems = () => [footprints.mirrorProblem()].filter((problem) => problem !== null);
  const host = buildHost({ settings, catalog, installationId, runtime, nvidiaSmi, registry, jobs, log, sieve, problems });
  host.metrics.set.addProcess();
  const state = { leading: false };
  const health = opened.use(
    await serveHealth({
      host: settings.host,
      port: settings.port,
      log,
      metrics: host.metrics.set,
      facts: () => ({ leading: state.leading, problems: host.gpus.problem === null ? [] : [host.gpus.problem] }),
    }),
  );
  const ending = new AbortController();
  const ended = leadership.run(async (term) => {
    state.leading = true;
    await runTerm(host, footprints, term).finally(() => {
      state.leading = false;
    });
  }, ending.signal);
  ended.catch((error: unknown) => log.fatal({ err: error }, 'orchestrator ended by a bug'));

  const resources = opened.move();
  return {
    url: health.url,
    ended,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await ended.catch(() => undefined);
      await resources.disposeAsync();
    },
  };
}

function readCatalog(settings: OrchestratorSettings): Catalog {
  const path = resolveCatalogPath({ ...(settings.catalogPath === null ? {} : { BERTH_CONFIG: settings.catalogPath }), cwd: process.cwd() });
  const catalog = loadCatalog({ path, home: homedir() });
  const { huggingfaceCache } = settings;
  // In a container the catalog's default, a path under the home folder, would be the container's and not the host's.
  return huggingfaceCache === null ? catalog : { ...catalog, host: { ...catalog.host, huggingfaceCache } };
}

/** What must never be written: neither by us nor by an engine that we quote. */
function secretsOf(settings: OrchestratorSettings, catalog: Catalog): readonly string[] {
  const ofEngines = catalog.models.flatMap((model) =>
    Object.values(engineEnvironment(model, { own: settings.environment, port: '{port}' }).env).filter((value) => typeof value !== 'string'),
  );
  const { password } = new URL(settings.redisUrl.reveal());
  const own = [settings.environment['HF_TOKEN'] ?? '', password, decodeURIComponent(password)];
  return [...new Set([...own, ...ofEngines.map((secret) => secret.reveal())])];
}

function buildHost(parts: {
  readonly settings: OrchestratorSettings;
  readonly catalog: Catalog;
  readonly installationId: InstallationId;
  readonly runtime: EngineRuntime;
  readonly nvidiaSmi: NvidiaSmiRunner;
  readonly registry: Host['registry'];
  readonly jobs: Host['jobs'];
  readonly log: Logger;
  readonly sieve: Host['sieve'];
  readonly problems: Host['problems'];
}): Host {
  const { settings, catalog, installationId, runtime, registry, jobs, log, sieve, problems } = parts;
  const clock = new HostClock(Date.now);
  const now = () => clock.nowMs();
  const gpus = new GpuMonitor({
    probe: createGpuProbe(parts.nvidiaSmi, { timeoutMs: settings.nvidiaSmiTimeoutMs, now }),
    log,
    now,
    retryAfterMs: GPU_RETRY_MS,
  });
  return {
    catalog,
    signatures: new Map(catalog.models.map((model) => [model.name, launchSignature(model)])),
    installationId,
    reach: settings.reach,
    environment: settings.environment,
    vllmCacheVolume: `${settings.installation}-vllm-cache`,
    huggingfaceHome: settings.huggingfaceHome,
    registry,
    jobs,
    runtime,
    engines: createEngineClient(),
    gpus,
    clock,
    log,
    metrics: new OrchestratorMetrics({ models: catalog.models, readings: gpus, now }),
    sieve,
    problems,
    preloading: { done: false },
  };
}
