import type { EngineHandle, Footprint, GpuAllocation, LoadTimes, StartingEndpoint } from '@berth/core';
import { withMargin } from '@berth/core';
import { parseMemoryBreakdown } from '@berth/vllm';
import { changeEndpoint } from '../advance/change-endpoint.ts';
import { wishIdsOf } from '../snapshot/demand.ts';
import type { LoadObservation } from '../tasks/load-watch.ts';
import type { TermContext } from '../term/term-context.ts';
import { footprintKeyOf } from './footprint-key.ts';
import { learnLoadTime, withLoad } from './load-times.ts';
import { measureEndpoint, type Measurement } from './measure.ts';

export const SAMPLES_KEPT = 10;
const UNMEASURED: Measurement = { measured: [], processIds: [], exact: false };

/**
 * Measures an endpoint that proved itself, learns its footprint, and publishes it as ready in one write with the end of every wish for
 * its model. False while it cannot be measured. That is bounded: an endpoint that cannot be measured for longer than memory may take to
 * come back serves unmeasured, charged with all that was reserved for it, and nothing is learned.
 */
export async function publishReady(
  context: TermContext,
  endpoint: StartingEndpoint,
  handle: EngineHandle,
  proved: Extract<LoadObservation, { kind: 'proved' }>,
): Promise<boolean> {
  const needsMeasure = endpoint.allocations.length > 0 && context.gpus.available;
  const measurement: Measurement | null = needsMeasure ? await measureEndpoint(context, endpoint, handle) : UNMEASURED;
  const waitedMs = context.clock.nowMs() - proved.atMs;
  if (measurement === null && waitedMs < context.catalog.protocol.memoryRelease.timeoutMs) return false;
  const loadMs = Math.max(0, proved.atMs - (endpoint.startedAtMs ?? proved.atMs));
  const load: LoadTimes = { totalMs: loadMs, byPhaseMs: proved.phases, atMs: context.clock.nowMs() };
  const allocations = await charge(context, endpoint, measurement ?? UNMEASURED, load, proved.log);
  const wishes = wishIdsOf(await context.registry.read(), endpoint.model);
  await changeEndpoint(
    context,
    endpoint,
    {
      kind: 'ready-proved',
      urls: proved.urls,
      atMs: context.clock.nowMs(),
      loadMs,
      processIds: measurement?.processIds ?? [],
      measured: measurement?.measured ?? [],
      allocations,
      maxModelLen: proved.maxModelLen,
    },
    { removeWishes: wishes, removeClaims: [endpoint.model] },
  );
  context.metrics.startProved(endpoint.model, proved.phases);
  context.loads.forget(endpoint.generation);
  context.triedRemedies.delete(endpoint.model);
  return true;
}

/** Stores what was measured and returns what the ledger charges from now on: what was reserved where no memory was learned. */
async function charge(
  context: TermContext,
  endpoint: StartingEndpoint,
  { measured, exact }: Measurement,
  load: LoadTimes,
  log: readonly string[],
): Promise<readonly GpuAllocation[]> {
  const reading = context.gpus.latest;
  const key = reading === null ? null : footprintKeyOf(endpoint, reading);
  const peakMiB = Math.max(0, ...measured.map((allocation) => allocation.vramMiB));
  if (key === null || peakMiB === 0 || !exact) {
    await learnLoadTime(context, endpoint, load);
    return endpoint.allocations;
  }
  const earlier = context.book.find(key);
  const nowMs = context.clock.nowMs();
  // A size that only an out-of-memory told was never measured: it is a bound, and this is the size.
  const held = earlier?.source === 'raised-after-oom' && earlier.samples.length === 0 ? null : (earlier?.vramMiB ?? null);
  const measuredWithMargin = withMargin(peakMiB);
  // Only ever corrected with a reason: a smaller measurement is noise, a larger one is evidence.
  const vramMiB = Math.max(held ?? 0, measuredWithMargin);
  const footprint: Footprint = {
    ...key,
    vramMiB,
    source: held === null ? 'discovered' : vramMiB > held ? 'refined' : (earlier?.source ?? 'discovered'),
    samples: [...(earlier?.samples ?? []), { measuredMiB: measured.map((allocation) => allocation.vramMiB), atMs: nowMs }].slice(
      -SAMPLES_KEPT,
    ),
    loads: withLoad(earlier?.loads ?? [], load),
    kvCacheBytes: earlier?.kvCacheBytes ?? null,
    ...(earlier?.estimatedMaxModelLen === undefined ? {} : { estimatedMaxModelLen: earlier.estimatedMaxModelLen }),
    breakdownMiB: parseMemoryBreakdown(log).partsMiB,
    learnedAtMs: nowMs,
  };
  await context.book.put(footprint);
  context.log.info(
    {
      model: endpoint.model,
      generation: endpoint.generation,
      gpuProduct: key.gpuProduct,
      measuredMiB: peakMiB,
      vramMiB,
      source: footprint.source,
    },
    'footprint learned',
  );
  return endpoint.allocations.map(({ gpuUuid }) => ({ gpuUuid, vramMiB }));
}
