import type { StoppingEndpoint } from '@berth/core';
import { releaseOf } from '@berth/core';
import { remeasureNeighbours } from '../learn/remeasure.ts';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';
import { changeEndpoint, logChange } from './change-endpoint.ts';

/** How old a reading may be that shows memory as released. */
const READING_MAX_AGE_MS = 400;

/** A stop goes: no process left → its memory seen free by the driver → container removed → out of the registry. */
export async function advanceStopping(context: TermContext, observed: Observed, endpoint: StoppingEndpoint): Promise<boolean> {
  context.loads.forget(endpoint.generation);
  if (endpoint.exitedAtMs === null) {
    const exited = endpoint.handle === null || context.stops.isExited(endpoint, endpoint.handle);
    if (!exited) return false;
    await changeEndpoint(context, endpoint, { kind: 'exit-seen', atMs: context.clock.nowMs() });
    return true;
  }
  if (!(await isReleased(context, observed, endpoint, endpoint.exitedAtMs))) return false;
  if (endpoint.handle !== null) await context.runtime.removeEngine(endpoint.handle);
  await context.registry.commit(context.term, {
    expect: [{ generation: endpoint.generation, state: 'stopping' }],
    removeEndpoints: [endpoint.generation],
  });
  logChange(context, endpoint, { state: 'gone' }, endpoint.reason);
  context.stops.forget(endpoint.generation);
  if (endpoint.handle !== null) context.exits.clear(endpoint.handle);
  return true;
}

async function isReleased(context: TermContext, observed: Observed, endpoint: StoppingEndpoint, exitedAtMs: number): Promise<boolean> {
  if (endpoint.allocations.length === 0 || !context.gpus.available) return true;
  const reading = await context.gpus.read({ maxAgeMs: Math.min(READING_MAX_AGE_MS, Math.max(0, context.clock.nowMs() - exitedAtMs)) });
  const release = releaseOf({
    endpoint,
    reading,
    pids: observed.processIds.get(endpoint.generation) ?? endpoint.processIds,
    endpoints: observed.state.endpoints,
    processIds: observed.processIds,
    settledForeignMiB: context.memory.settledForeignMiB,
    nowMs: context.clock.nowMs(),
    exitedAtMs,
    timeoutMs: context.catalog.protocol.memoryRelease.timeoutMs,
  });
  if (release === 'waiting') return false;
  if (release === 'timed-out') {
    context.log.error(
      { model: endpoint.model, generation: endpoint.generation, allocations: endpoint.allocations },
      'memory was not released after a stop',
    );
    const gpuUuids = endpoint.allocations.map((allocation) => allocation.gpuUuid);
    await remeasureNeighbours(context, gpuUuids, 'memory-not-released');
  }
  return true;
}
