import type { EngineHandle, Footprint, FootprintKey, GpuAllocation, HostReading, StartingEndpoint } from '@berth/core';
import { withMargin } from '@berth/core';
import { parseMemoryBreakdown } from '@berth/vllm';
import { changeEndpoint } from '../advance/change-endpoint.ts';
import type { LoadObservation } from '../tasks/load-watch.ts';
import type { TermContext } from '../term/term-context.ts';
import { measureEndpoint, type Measurement } from './measure.ts';

const SAMPLES_KEPT = 10;

/**
 * Measures an endpoint that proved itself, learns its footprint, and publishes it as ready in one write with the end of every wish for
 * its model. False while no reading is to be had: an endpoint is not published unmeasured, except where learning is switched off.
 */
export async function publishReady(
  context: TermContext,
  endpoint: StartingEndpoint,
  handle: EngineHandle,
  proved: Extract<LoadObservation, { kind: 'proved' }>,
): Promise<boolean> {
  const needsMeasure = endpoint.allocations.length > 0 && context.gpus.available;
  const measurement: Measurement | null = needsMeasure
    ? await measureEndpoint(context, endpoint, handle)
    : { measured: [], processIds: [] };
  if (measurement === null) return false;
  const loadMs = Math.max(0, proved.atMs - (endpoint.startedAtMs ?? proved.atMs));
  const allocations = needsMeasure ? await learn(context, endpoint, measurement, { ...proved, loadMs }) : endpoint.allocations;
  const wishes = (await context.registry.read()).wishes.filter((wish) => wish.model === endpoint.model).map((wish) => wish.id);
  await changeEndpoint(
    context,
    endpoint,
    {
      kind: 'ready-proved',
      urls: proved.urls,
      atMs: context.clock.nowMs(),
      loadMs,
      processIds: measurement.processIds,
      measured: measurement.measured,
      allocations,
      maxModelLen: proved.maxModelLen,
    },
    { removeWishes: wishes, removeClaims: [endpoint.model] },
  );
  context.loads.forget(endpoint.generation);
  context.triedRemedies.delete(endpoint.model);
  return true;
}

/** Stores what was measured and returns what the ledger charges from now on. */
async function learn(
  context: TermContext,
  endpoint: StartingEndpoint,
  { measured }: Measurement,
  proved: Extract<LoadObservation, { kind: 'proved' }> & { readonly loadMs: number },
): Promise<readonly GpuAllocation[]> {
  const reading = context.gpus.latest;
  const key = reading === null ? null : footprintKeyOf(endpoint, reading);
  const peakMiB = Math.max(0, ...measured.map((allocation) => allocation.vramMiB));
  if (key === null || peakMiB === 0) return endpoint.allocations;
  const earlier = context.book.find(key);
  const nowMs = context.clock.nowMs();
  const held = earlier?.vramMiB ?? null;
  const measuredWithMargin = withMargin(peakMiB);
  // Only ever corrected with a reason: a smaller measurement is noise, a larger one is evidence.
  const vramMiB = held === null || earlier?.source === 'raised-after-oom' ? measuredWithMargin : Math.max(held, measuredWithMargin);
  const footprint: Footprint = {
    ...key,
    vramMiB,
    source:
      held === null || earlier?.source === 'raised-after-oom'
        ? 'discovered'
        : vramMiB > held
          ? 'refined'
          : (earlier?.source ?? 'discovered'),
    samples: [...(earlier?.samples ?? []), { measuredMiB: measured.map((allocation) => allocation.vramMiB), atMs: nowMs }].slice(
      -SAMPLES_KEPT,
    ),
    loads: [...(earlier?.loads ?? []), { totalMs: proved.loadMs, byPhaseMs: proved.phases, atMs: nowMs }].slice(-SAMPLES_KEPT),
    kvCacheBytes: earlier?.kvCacheBytes ?? null,
    breakdownMiB: parseMemoryBreakdown(proved.log).partsMiB,
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

/** `null` for an endpoint on the CPU, and on GPUs that the reading does not name. */
export function footprintKeyOf(
  endpoint: Pick<StartingEndpoint, 'model' | 'signature' | 'imageId' | 'allocations'>,
  reading: HostReading,
): FootprintKey | null {
  const first = endpoint.allocations[0];
  const gpu = reading.gpus.find((one) => one.uuid === first?.gpuUuid);
  if (gpu === undefined) return null;
  const { model, signature, imageId, allocations } = endpoint;
  return { model, signature, imageId, gpuProduct: gpu.product, gpuCount: allocations.length };
}
