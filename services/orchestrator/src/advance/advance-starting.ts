import type { EngineHandle, GpuAllocation, StartingEndpoint } from '@berth/core';
import { OperationalError, isOperationalError } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import { buildEngineSpec } from '../launch/engine-spec.ts';
import { failLoad } from '../learn/fail-load.ts';
import { publishReady } from '../learn/publish-ready.ts';
import type { Observed } from '../snapshot/observe.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { hasRoomToStart } from './start-gate.ts';

/**
 * A start goes: reserved → container created → memory seen free → engine started → loads → proved → measured → ready. Each call does at
 * most one of these, and each is safe to repeat after a crash between doing it and recording it.
 */
export async function advanceStarting(context: TermContext, observed: Observed, endpoint: StartingEndpoint): Promise<boolean> {
  const model = settingsOf(context, endpoint.model);
  if (model === undefined) return cancel(context, endpoint, null);
  if (endpoint.handle === null) return create(context, endpoint, model);
  if (endpoint.startedAtMs === null) return startWhenFree(context, observed, endpoint, endpoint.handle);
  const observation = context.loads.observe(endpoint, endpoint.handle, model);
  switch (observation.kind) {
    case 'proved':
      return publishReady(context, endpoint, endpoint.handle, observation);
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
        const log = await context.runtime.readLog(endpoint.handle, { lines: 200 });
        return failLoad(context, endpoint, model, { reason: 'loadTimedOut', exitCode: null, log });
      }
      if (observation.phase === endpoint.phase) return false;
      await changeEndpoint(context, endpoint, { kind: 'phase-seen', phase: observation.phase });
      return true;
  }
}

async function create(context: TermContext, endpoint: StartingEndpoint, model: ModelSettings): Promise<boolean> {
  if (endpoint.signature !== context.signatures.get(endpoint.model)) return cancel(context, endpoint, null);
  const known = await context.images.resolve(model);
  const spec = buildEngineSpec({
    catalog: context.catalog,
    model,
    signature: endpoint.signature,
    generation: endpoint.generation,
    imageId: known ?? endpoint.imageId,
    allocations: endpoint.allocations,
    gpuUuids: devicesOf(context, endpoint, model),
    discovery: endpoint.discovery,
    kvCacheBytes: endpoint.kvCacheBytes,
    installationId: context.installationId,
    vllmCacheVolume: context.vllmCacheVolume,
    createdAtMs: endpoint.createdAtMs,
    environment: context.environment,
  });
  let handle: EngineHandle;
  try {
    handle = await context.runtime.createEngine(spec);
  } catch (error) {
    if (!isOperationalError(error, 'IMAGE_MISSING', 'ENGINE_START_FAILED', 'PORT_TAKEN')) throw error;
    return failLoad(context, endpoint, model, { reason: 'loadFailed', exitCode: null, log: [], failure: error.toShape() });
  }
  await changeEndpoint(context, endpoint, { kind: 'engine-created', handle });
  return true;
}

function devicesOf(context: TermContext, endpoint: StartingEndpoint, model: ModelSettings) {
  if (model.gpus > 0 && endpoint.allocations.length === 0 && !context.gpus.available) return 'all';
  return endpoint.allocations.map((allocation) => allocation.gpuUuid);
}

/** Memory may still be held by something that just stopped: every start waits until the driver itself shows room. */
async function startWhenFree(context: TermContext, observed: Observed, endpoint: StartingEndpoint, handle: EngineHandle): Promise<boolean> {
  const status = await context.runtime.inspectEngine(handle);
  if (status === null) return cancel(context, endpoint, null);
  if (status.state !== 'created') {
    await changeEndpoint(context, endpoint, { kind: 'engine-started', atMs: status.startedAtMs ?? context.clock.nowMs(), usedBefore: [] });
    return true;
  }
  let usedBefore: readonly GpuAllocation[] = [];
  if (endpoint.allocations.length > 0 && context.gpus.available) {
    // Its container exists, so nothing else of ours changed memory there since: a reading of this moment decides.
    const reading = await context.gpus.read({ maxAgeMs: 0 });
    const room = reading !== null && hasRoomToStart(endpoint, { ...observed, reading });
    if (!room) return waitForRoom(context, endpoint);
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
    const model = settingsOf(context, endpoint.model);
    if (model === undefined) return cancel(context, endpoint, null);
    return failLoad(context, endpoint, model, { reason: 'loadFailed', exitCode: null, log: [], failure: error.toShape() });
  }
  const started = await changeEndpoint(context, endpoint, { kind: 'engine-started', atMs: context.clock.nowMs(), usedBefore });
  const model = settingsOf(context, endpoint.model);
  if (started.state === 'starting' && model !== undefined) context.loads.observe(started, handle, model);
  return true;
}

/** Bounded: then the start is given up and planned anew, with what really holds the memory in the ledger. */
async function waitForRoom(context: TermContext, endpoint: StartingEndpoint): Promise<boolean> {
  const waitedMs = context.clock.nowMs() - endpoint.createdAtMs;
  if (waitedMs < context.catalog.protocol.memoryRelease.timeoutMs) return false;
  context.log.warn({ model: endpoint.model, generation: endpoint.generation, waitedMs }, 'start given up for want of free memory');
  return cancel(context, endpoint, null);
}

async function cancel(context: TermContext, endpoint: StartingEndpoint, failure: null): Promise<boolean> {
  context.loads.forget(endpoint.generation);
  await changeEndpoint(context, endpoint, { kind: 'stop-begun', reason: 'cancelled', atMs: context.clock.nowMs(), kill: true, failure });
  return true;
}
