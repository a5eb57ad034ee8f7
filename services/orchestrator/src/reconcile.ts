import type { Endpoint, EngineIdentity, Generation, RunningEngine, StartingEndpoint } from '@berth/core';
import { allocatedOn, asId, isOperationalError, transition, withMargin } from '@berth/core';
import { measureProcesses } from '@berth/nvidia';
import { logChange } from './advance/change-endpoint.ts';
import { ORPHANS_EVERY_MS } from './steps/tending.ts';
import { engineUrl } from './tasks/engine-url.ts';
import { settingsOf, type TermContext } from './term/term-context.ts';

/**
 * Repairs, at the beginning of a term and never beside a job: every engine of this installation is adopted or stopped, every record without
 * an engine ends, every drain of the former leader is called off and every claim dropped (placements write theirs anew). Safe to repeat.
 */
export async function reconcile(context: TermContext): Promise<void> {
  const engines = await context.runtime.listEngines();
  const state = await context.registry.read();
  context.clock.sync(state.nowMs);
  await context.registry.commit(context.term, { removeClaims: state.claims.map((claim) => claim.model) });
  for (const endpoint of state.endpoints) {
    const engine = engines.find((one) => one.handle === endpoint.handle || one.identity?.generation === endpoint.generation);
    await alone(context, endpoint, () => repair(context, endpoint, engine));
  }
  const known = new Set<Generation>(state.endpoints.map((endpoint) => endpoint.generation));
  const unknown = engines.filter((engine) => engine.identity === null || !known.has(engine.identity.generation));
  for (const engine of newestFirst(unknown)) await alone(context, engine, () => adoptOrStop(context, engine));
  const after = await context.registry.read();
  context.log.info(
    { engines: engines.length, endpoints: after.endpoints.map(({ model, generation, state: at }) => ({ model, generation, state: at })) },
    'installation reconciled',
  );
}

/** A bug about one engine must not keep a whole host from being led: it is logged, and the others are repaired. */
async function alone(context: TermContext, about: { readonly containerName: string }, repairOne: () => Promise<void>): Promise<void> {
  try {
    await repairOne();
  } catch (error) {
    if (isOperationalError(error)) throw error;
    context.log.error({ err: error, containerName: about.containerName }, 'reconciling met a bug');
  }
}

/** A record of the registry, against the engine that belongs to it. */
async function repair(context: TermContext, endpoint: Endpoint, engine: RunningEngine | undefined): Promise<void> {
  const nowMs = context.clock.nowMs();
  const dead = engine === undefined || engine.status.state === 'exited';
  switch (endpoint.state) {
    case 'starting':
      // Reserved or created only: the start goes on where it stopped. Created but not recorded: its name leads to it.
      if (endpoint.handle === null || (engine !== undefined && !dead)) return;
      // A load that died is explained by its log; one whose container is gone is begun anew by its placement.
      if (engine === undefined)
        await put(
          context,
          endpoint,
          transition(endpoint, { kind: 'stop-begun', reason: 'cancelled', atMs: nowMs, kill: true, failure: null }),
        );
      return;
    case 'draining':
    case 'ready':
      if (dead) {
        const failure = {
          code: 'ENGINE_EXITED',
          message: `The engine of ${endpoint.model} was gone when Berth started.`,
          retryable: true,
        } as const;
        return put(context, endpoint, transition(endpoint, { kind: 'stop-begun', reason: 'exited', atMs: nowMs, kill: true, failure }));
      }
      if (endpoint.state === 'draining' && endpoint.reason !== 'operator') {
        return put(context, endpoint, transition(endpoint, { kind: 'drain-called-off', sparedUntilMs: null }));
      }
      return;
    case 'stopping':
      return;
  }
}

async function put(context: TermContext, from: Endpoint, to: Endpoint): Promise<void> {
  await context.registry.commit(context.term, { expect: [{ generation: from.generation, state: from.state }], putEndpoints: [to] });
  logChange(context, from, to, 'reconciled');
}

/**
 * An engine that no record names: Redis lost its data, or a former leader started it in its last moment. One that serves is adopted, also
 * beside a younger one of its model: requests may be in flight on it, so it is drained and not just stopped.
 */
async function adoptOrStop(context: TermContext, engine: RunningEngine): Promise<void> {
  const { identity, status } = engine;
  if (identity === null || status.state !== 'running') return context.orphans.begin(engine);
  const state = await context.registry.read();
  const taken = state.endpoints.some((endpoint) => endpoint.model === identity.model && endpoint.state !== 'stopping');
  const model = settingsOf(context, identity.model);
  const url = engineUrl(status.urls, context.reach);
  const healthy = url !== null && (await context.engines.isHealthy(url, model?.healthPath ?? '/health'));
  if (!healthy && (taken || model === undefined)) return context.orphans.begin(engine);
  const starting = startingRecord(context, engine, identity);
  const adopted = healthy ? await servingRecord(context, engine, starting) : starting;
  await context.registry.commit(context.term, { expect: [{ generation: adopted.generation, state: null }], putEndpoints: [adopted] });
  context.log.info(
    { model: adopted.model, generation: adopted.generation, containerName: adopted.containerName, state: adopted.state },
    'engine adopted',
  );
}

/** Stops engines of this installation that the registry does not know. Looks at most every `ORPHANS_EVERY_MS`. */
export async function stopOrphans(context: TermContext): Promise<void> {
  const nowMs = context.clock.nowMs();
  if (nowMs - context.lastDone.orphansSoughtAtMs < ORPHANS_EVERY_MS) return;
  context.lastDone.orphansSoughtAtMs = nowMs;
  const engines = await context.runtime.listEngines();
  // Read after the list: a record is always written before its engine is created.
  const { endpoints } = await context.registry.read();
  for (const engine of engines) {
    const known = endpoints.some((endpoint) => endpoint.generation === engine.identity?.generation);
    if (!known) context.orphans.begin(engine);
  }
}

function startingRecord(
  context: TermContext,
  { handle, containerName, status }: RunningEngine,
  identity: EngineIdentity,
): StartingEndpoint {
  const { generation, model, signature, imageId, hasCounter, servedNames, allocations, discovery, kvCacheBytes, createdAtMs } = identity;
  const startedAtMs = status.startedAtMs ?? context.clock.nowMs();
  const loadTimeoutMs = settingsOf(context, model)?.loadTimeoutMs ?? 0;
  return {
    state: 'starting',
    generation,
    model,
    signature,
    imageId,
    hasCounter,
    servedNames,
    allocations,
    discovery,
    kvCacheBytes,
    createdAtMs,
    containerName,
    handle,
    startedAtMs,
    phase: 'created',
    usedBefore: [],
    // It may have served for days, and just be slow to say that it is healthy.
    deadlineAtMs: context.clock.nowMs() + loadTimeoutMs,
  };
}

/** Serves on without a reload, and is charged by its own measurement, or by what was reserved for it where nothing can be measured. */
async function servingRecord(context: TermContext, engine: RunningEngine, starting: StartingEndpoint): Promise<Endpoint> {
  const nowMs = context.clock.nowMs();
  const pids = await context.runtime.processIds(engine.handle);
  const reading = starting.allocations.length > 0 ? await context.gpus.read({ maxAgeMs: 5_000 }) : null;
  const measured = (reading === null ? null : measureProcesses(reading, pids)) ?? [];
  const learned = context.book.ofLaunch({ ...starting, gpuCount: starting.allocations.length });
  const learnedMiB = Math.max(0, ...learned.map((footprint) => footprint.vramMiB ?? 0));
  const allocations = starting.allocations.map(({ gpuUuid, vramMiB }) => {
    const usedMiB = allocatedOn(measured, gpuUuid);
    return { gpuUuid, vramMiB: usedMiB === 0 ? vramMiB : Math.max(learnedMiB, withMargin(usedMiB)) };
  });
  const holding = (reading?.processes ?? []).filter((process) => pids.includes(process.pid)).map((process) => process.pid);
  const url = engineUrl(engine.status.urls, context.reach);
  return transition(starting, {
    kind: 'ready-proved',
    urls: engine.status.urls,
    atMs: nowMs,
    loadMs: Math.max(0, ...learned.flatMap((footprint) => footprint.loads.slice(-1).map((load) => load.totalMs))),
    processIds: [...new Set(holding)],
    measured,
    allocations,
    maxModelLen: url !== null && starting.hasCounter ? await context.engines.readMaxModelLen(url) : null,
  });
}

function newestFirst(engines: readonly RunningEngine[]): readonly RunningEngine[] {
  return engines.toSorted((one, other) => Number(generationOf(other)) - Number(generationOf(one)));
}

function generationOf(engine: RunningEngine): Generation {
  return engine.identity?.generation ?? asId<Generation>('0');
}
