import type { Candidate } from './candidate.ts';
import { explainDiscovery, explainFit } from './explain.ts';
import { byBestFit, fits, hasStartSlots } from './fit.ts';
import type { OpenPlacement } from './snapshot.ts';
import type { Decision, World } from './world.ts';

/**
 * Starts a placement where it fits without stopping anything; `null` when it fits nowhere. Of the candidates it fits on
 * 1. the best fit whose start slots are free → start
 * 2. none with free slots → wait, holding the memory and the next slot of the best fit
 */
export function startNow(world: World, placement: OpenPlacement, candidates: readonly Candidate[]): Decision | null {
  const { model } = placement;
  const fitting = candidates.filter((candidate) => fits(candidate, model, world.snapshot)).toSorted(byBestFit(model, world.snapshot));
  const best = fitting.find((candidate) => hasStartSlots(candidate, world));
  if (best !== undefined) {
    const { allocations, discovery } = best;
    const reasons = [...explainDiscovery(best), ...explainFit(best, model, world.snapshot)];
    return { plan: { kind: 'apply', actions: [{ kind: 'start', model, allocations, discovery }], reasons }, holds: [] };
  }
  const next = fitting[0];
  if (next === undefined) return null;
  const waiting = next.gpus.map((gpu) => ({ code: 'waiting-for-start-slot', gpuUuid: gpu.uuid }) as const);
  const reasons = [...waiting, ...explainFit(next, model, world.snapshot)];
  return { plan: { kind: 'wait', reasons, untilMs: null }, holds: next.allocations };
}
