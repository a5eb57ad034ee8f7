import type { DrainingEndpoint, Generation, GpuAllocation, GpuUuid, HostReading, ReadyEndpoint } from '@berth/core';
import { allocatedOn, withMargin } from '@berth/core';
import { measureProcesses } from '@berth/nvidia';
import { changeEndpoint } from '../advance/change-endpoint.ts';
import type { TermContext } from '../term/term-context.ts';
import { footprintKeyOf } from './footprint-key.ts';
import { SAMPLES_KEPT } from './publish-ready.ts';

export type RemeasureReason = 'memory-not-released' | 'neighbour-out-of-memory' | 'after-traffic';

/**
 * Measures every serving endpoint on these GPUs again and corrects the footprint of each that holds more than it is charged, margin
 * aside. Returns how many were corrected. Nothing is corrected downwards, and nothing without per-process numbers.
 */
export async function remeasureNeighbours(
  context: TermContext,
  gpuUuids: readonly GpuUuid[],
  reason: RemeasureReason,
  { except }: { readonly except?: Generation } = {},
): Promise<number> {
  const state = await context.registry.read();
  // What went wrong may have gone wrong just now: an older reading would not show it.
  const reading = await context.gpus.read({ maxAgeMs: 0 });
  if (reading === null) return 0;
  let corrected = 0;
  for (const endpoint of state.endpoints) {
    if ((endpoint.state !== 'ready' && endpoint.state !== 'draining') || endpoint.generation === except) continue;
    if (!endpoint.allocations.some((allocation) => gpuUuids.includes(allocation.gpuUuid))) continue;
    if (await remeasure(context, endpoint, reading, reason)) corrected += 1;
  }
  return corrected;
}

async function remeasure(
  context: TermContext,
  endpoint: ReadyEndpoint | DrainingEndpoint,
  reading: HostReading,
  reason: RemeasureReason,
): Promise<boolean> {
  if (endpoint.handle === null) return false;
  const pids = await context.runtime.processIds(endpoint.handle);
  const measured = measureProcesses(reading, pids);
  if (measured === null || measured.length === 0) return false;
  const exceeds = measured.some((one) => one.vramMiB > allocatedOn(endpoint.allocations, one.gpuUuid));
  if (!exceeds) return false;
  const peakMiB = Math.max(...measured.map((one) => one.vramMiB));
  const vramMiB = withMargin(peakMiB);
  const allocations: readonly GpuAllocation[] = endpoint.allocations.map(({ gpuUuid }) => ({ gpuUuid, vramMiB }));
  const key = footprintKeyOf(endpoint, reading);
  const earlier = key === null ? undefined : context.book.find(key);
  if (earlier !== undefined) {
    const nowMs = context.clock.nowMs();
    const samples = [...earlier.samples, { measuredMiB: measured.map((one) => one.vramMiB), atMs: nowMs }].slice(-SAMPLES_KEPT);
    await context.book.put({ ...earlier, vramMiB, source: 'refined', samples, learnedAtMs: nowMs });
  }
  await changeEndpoint(context, endpoint, { kind: 'remeasured', measured, allocations });
  context.log.warn(
    { model: endpoint.model, generation: endpoint.generation, measuredMiB: peakMiB, vramMiB, reason },
    'footprint corrected',
  );
  return true;
}
