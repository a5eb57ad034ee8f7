import type { EngineHandle, GpuAllocation, StartingEndpoint } from '@berth/core';
import { OperationalError, isOperationalError } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import { buildEngineSpec } from '../launch/engine-spec.ts';
import { failLoad } from '../learn/fail-load.ts';
import { publishReady } from '../learn/publish-ready.ts';
import type { Observed } from '../snapshot/observe.ts';
import { buildSnapshot } from '../steps/decide.ts';
import type { LoadObservation } from '../tasks/load-watch.ts';
import { isCurrent, settingsOf, type TermContext } from '../term/term-context.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { hasRoomToStart, isOverBudget } from './start-gate.ts';

const LOG_LINES = 600;

/**
 * A start goes: reserved → container created → memory seen free → engine started → loads → proved → measured → ready. Each call does at
 * most one of these, and each is safe to repeat after a crash between doing it and recording it.
 */
export async function advanceStarting(context: TermContext, observed: Observed, endpoint: StartingEndpoint): Promise<boolean> {
  const model = settingsOf(context, endpoint.model);
  if (model === undefined) return cancel(context, endpoint);
  if (endpoint.startedAtMs === null && context.clock.nowMs() > endpoint.deadlineAtMs) {
    return failLoad(context, endpoint, model, { reason: 'loadTimedOut', exitCode: null, log: [] });
  }
  if (endpoint.handle === null) {
    // Nobody waits for it any more, and no container was made: there is nothing to drive on.
    return observed.demand.has(endpoint.model) ? create(context, endpoint, model) : cancel(context, endpoint);
  }
  if (endpoint.startedAtMs === null) return startWhenFree(context, observed, endpoint, endpoint.handle, model);
  const observation = context.loads.observe(endpoint, endpoint.handle, model);
  switch (observation.kind) {
    case 'proved':
      return publish(context, endpoint, endpoint.handle, model, observation);
    case 'exited':
      return failLoad(context, endpoint, model, { reason: 'loadFailed', ...observation });
    case 'unproved':
      return failLoad(context, endpoint, model, {
        reason: 'loadFailed',
        exitCode: null,
        log: observation.log,
        failure: observation.failure,
      });
    case 'loading':
      if (context.clock.nowMs() > endpoint.deadlineAtMs) {
        const log = await context.runtime.readLog(endpoint.handle, { lines: LOG_LINES });
        return failLoad(context, endpoint, model, { reason: 'loadTimedOut', exitCode: null, log });
      }
      if (observation.phase === endpoint.phase) return false;
      await changeEndpoint(context, endpoint, { kind: 'phase-seen', phase: observation.phase });
      return true;
  }
}

/** An engine that died right after its proof holds nothing that could be measured. */
async function publish(
  context: TermContext,
  endpoint: StartingEndpoint,
  handle: EngineHandle,
  model: ModelSettings,
  proved: Extract<LoadObservation, { kind: 'proved' }>,
): Promise<boolean> {
  const status = await context.runtime.inspectEngine(handle);
  if (status?.state === 'running') return publishReady(context, endpoint, handle, proved);
  const log = await context.runtime.readLog(handle, { lines: LOG_LINES });
  return failLoad(context, endpoint, model, { reason: 'loadFailed', exitCode: status?.exitCode ?? null, log });
}

async function create(context: TermContext, endpoint: StartingEndpoint, model: ModelSettings): Promise<boolean> {
  if (!isCurrent(context, endpoint)) return cancel(context, endpoint);
  const spec = buildEngineSpec({
    catalog: context.catalog,
    model,
    signature: endpoint.signature,
    generation: endpoint.generation,
    imageId: endpoint.imageId,
    allocations: endpoint.allocations,
    gpuUuids: devicesOf(endpoint, model),
    discovery: endpoint.discovery,
    kvCacheBytes: endpoint.kvCacheBytes,
    installationId: context.installationId,
    vllmCacheVolume: context.vllmCacheVolume,
    createdAtMs: endpoint.createdAtMs,
    environment: context.environment,
  });
  let handle: EngineHandle;
  try {
    // Another image under the same tag is another footprint: it is placed anew.
    if ((await context.images.resolve(model)) !== endpoint.imageId) return cancel(context, endpoint);
    handle = await context.runtime.createEngine(spec);
  } catch (error) {
    if (!isOperationalError(error, 'IMAGE_MISSING', 'ENGINE_START_FAILED', 'PORT_TAKEN')) throw error;
    context.images.forget(model);
    return failLoad(context, endpoint, model, { reason: 'loadFailed', exitCode: null, log: [], failure: error.toShape() });
  }
  await changeEndpoint(context, endpoint, { kind: 'engine-created', handle });
  return true;
}

function devicesOf(endpoint: StartingEndpoint, model: ModelSettings) {
  if (model.gpus > 0 && endpoint.allocations.length === 0) return 'all';
  return endpoint.allocations.map((allocation) => allocation.gpuUuid);
}

/** Memory may still be held by something that just stopped: every start waits until the driver itself shows room. */
async function startWhenFree(
  context: TermContext,
  observed: Observed,
  endpoint: StartingEndpoint,
  handle: EngineHandle,
  model: ModelSettings,
): Promise<boolean> {
  const status = await context.runtime.inspectEngine(handle);
  if (status === null) return cancel(context, endpoint);
  if (status.state !== 'created') {
    await changeEndpoint(context, endpoint, { kind: 'engine-started', atMs: status.startedAtMs ?? context.clock.nowMs(), usedBefore: [] });
    return true;
  }
  let usedBefore: readonly GpuAllocation[] = [];
  if (endpoint.allocations.length > 0 && context.gpus.available) {
    // Its container exists, so nothing else of ours changed memory there since: a reading of this moment decides.
    const reading = await context.gpus.read({ maxAgeMs: 0 });
    if (reading === null) return waitForRoom(context, endpoint);
    const now = { ...observed, reading };
    context.memory.noteSettled(reading, observed.state.endpoints, observed.processIds);
    if (isOverBudget(endpoint, buildSnapshot(context, now, new Map()))) return giveUp(context, endpoint, 'over budget');
    if (!hasRoomToStart(endpoint, now)) return waitForRoom(context, endpoint);
    usedBefore = reading.gpus.flatMap((gpu) =>
      gpu.usedMiB !== null && endpoint.allocations.some((allocation) => allocation.gpuUuid === gpu.uuid)
        ? [{ gpuUuid: gpu.uuid, vramMiB: gpu.usedMiB }]
        : [],
    );
  }
  if (!context.term.isCurrent())
    throw new OperationalError({ code: 'LEADERSHIP_LOST', message: 'Leadership ended before an engine was started.', retryable: true });
  try {
    await context.runtime.startEngine(handle);
  } catch (error) {
    if (!isOperationalError(error, 'ENGINE_START_FAILED', 'PORT_TAKEN', 'IMAGE_MISSING')) throw error;
    return failLoad(context, endpoint, model, { reason: 'loadFailed', exitCode: null, log: [], failure: error.toShape() });
  }
  const started = await changeEndpoint(context, endpoint, { kind: 'engine-started', atMs: context.clock.nowMs(), usedBefore });
  if (started.state === 'starting') context.loads.observe(started, handle, model);
  return true;
}

/** Bounded: then the start is given up and planned anew, with what really holds the memory in the ledger. */
async function waitForRoom(context: TermContext, endpoint: StartingEndpoint): Promise<boolean> {
  const waitedMs = context.clock.nowMs() - endpoint.createdAtMs;
  return waitedMs < context.catalog.protocol.memoryRelease.timeoutMs ? false : giveUp(context, endpoint, 'no free memory');
}

async function giveUp(context: TermContext, endpoint: StartingEndpoint, why: string): Promise<boolean> {
  context.log.warn({ model: endpoint.model, generation: endpoint.generation, why }, 'start given up to be planned anew');
  return cancel(context, endpoint);
}

async function cancel(context: TermContext, endpoint: StartingEndpoint): Promise<boolean> {
  context.loads.forget(endpoint.generation);
  const atMs = context.clock.nowMs();
  await changeEndpoint(context, endpoint, { kind: 'stop-begun', reason: 'cancelled', atMs, kill: true, failure: null });
  return true;
}
