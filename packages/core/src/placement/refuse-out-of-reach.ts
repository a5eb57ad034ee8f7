import type { Candidate, GpuRequirement, Reach } from './candidate.ts';
import { isStayingPinned, stayingPinnedMiB } from './discovery.ts';
import { allocatedOn } from '../memory/allocation.ts';
import type { Plan, Reason } from './plan.ts';
import type { GpuSnapshot, OpenPlacement, Snapshot } from './snapshot.ts';

/** Foreign memory comes and goes without telling us. */
const FOREIGN_RETRY_MS = 30_000;

/**
 * The answer for a placement that fits on none of its candidates, whatever is stopped; `null` when it may fit on one. By the candidate
 * that comes nearest:
 * 1. no product has that many GPUs → `DOES_NOT_FIT`
 * 2. foreign memory is unknown → wait for readings
 * 3. foreign memory is in the way → `NO_CAPACITY_NOW`
 * 4. pinned models are in the way → `DOES_NOT_FIT`, naming them
 * 5. more than the budget → `DOES_NOT_FIT`
 */
export function refuseOutOfReach(
  placement: OpenPlacement,
  requirement: GpuRequirement,
  candidates: readonly Candidate[],
  snapshot: Snapshot,
): Plan | null {
  const nearest = (reach: Reach): Candidate | undefined => candidates.find((candidate) => candidate.reach === reach);
  if (nearest('within') !== undefined) return null;
  const unknown = nearest('unknown');
  if (unknown !== undefined) return waitForReadings(unknown);
  const beside = nearest('beside-foreign') ?? nearest('beside-pinned');
  if (beside !== undefined)
    return beside.reach === 'beside-foreign' ? besideForeign(placement, beside) : besidePinned(placement, beside, snapshot);
  return candidates.length === 0 ? noSuchCount(placement, requirement, snapshot) : overBudget(placement, candidates);
}

function waitForReadings(candidate: Candidate): Plan {
  const unread = candidate.gpus.filter((gpu) => gpu.foreignMiB === null);
  return { kind: 'wait', reasons: unread.map((gpu) => ({ code: 'waiting-for-readings', gpuUuid: gpu.uuid })), untilMs: null };
}

function besideForeign({ model }: OpenPlacement, { gpus, leastMiB }: Candidate): Plan {
  const reasons: readonly Reason[] = gpus.map((gpu) => ({
    code: 'foreign-memory',
    gpuUuid: gpu.uuid,
    numbers: { needMiB: leastMiB, budgetMiB: gpu.budgetMiB, foreignMiB: gpu.foreignMiB ?? 0 },
  }));
  const held = gpus.map((gpu) => `${gpu.foreignMiB ?? 0} of ${gpu.budgetMiB} MiB on GPU ${gpu.index}`).join(', ');
  const message = `${model} needs ${leastMiB} MiB per GPU, but processes that are not Berth's hold ${held}. Stop them, or try again when they are done.`;
  return { kind: 'refuse', code: 'NO_CAPACITY_NOW', message, retryAfterMs: FOREIGN_RETRY_MS, reasons };
}

function besidePinned({ model }: OpenPlacement, { gpus, leastMiB }: Candidate, snapshot: Snapshot): Plan {
  const pinned = snapshot.endpoints.filter(isStayingPinned);
  const reasons: readonly Reason[] = gpus.flatMap((gpu) =>
    pinned
      .filter((view) => allocatedOn(view.endpoint.allocations, gpu.uuid) > 0)
      .map(({ endpoint }) => ({
        code: 'victim-pinned',
        gpuUuid: gpu.uuid,
        model: endpoint.model,
        generation: endpoint.generation,
        numbers: { needMiB: leastMiB, budgetMiB: gpu.budgetMiB, pinnedMiB: allocatedOn(endpoint.allocations, gpu.uuid) },
      })),
  );
  const names = [...new Set(reasons.map((reason) => reason.model))].join(', ');
  const held = gpus.map((gpu) => `${stayingPinnedMiB(gpu, snapshot)} of ${gpu.budgetMiB} MiB on GPU ${gpu.index}`).join(', ');
  const message = `${model} needs ${leastMiB} MiB per GPU, but pinned models (${names}) hold ${held}. Unpin one of them, or give ${model} a smaller kvCache.`;
  return { kind: 'refuse', code: 'DOES_NOT_FIT', message, retryAfterMs: null, reasons };
}

function overBudget({ model }: OpenPlacement, candidates: readonly Candidate[]): Plan {
  const reasons: readonly Reason[] = candidates.flatMap(({ gpus, leastMiB }) =>
    gpus.map((gpu) => ({ code: 'does-not-fit', gpuUuid: gpu.uuid, numbers: { needMiB: leastMiB, budgetMiB: gpu.budgetMiB } }) as const),
  );
  const largest = candidates.flatMap(({ gpus }) => gpus).reduce(largerBudget);
  const needMiB = Math.min(...candidates.map((candidate) => candidate.leastMiB));
  const message = `${model} needs ${needMiB} MiB per GPU, more than the largest budget of this host: ${largest.budgetMiB} MiB on GPU ${largest.index} (${largest.product}). Give it a smaller kvCache or more GPUs (gpus: N).`;
  return { kind: 'refuse', code: 'DOES_NOT_FIT', message, retryAfterMs: null, reasons };
}

function noSuchCount({ model }: OpenPlacement, { gpuCount }: GpuRequirement, { gpus }: Snapshot): Plan {
  const alike = [...Map.groupBy(gpus, (gpu) => gpu.product).values()].map((group) => group.length);
  const mostAlike = Math.max(0, ...alike);
  const message = `${model} needs ${gpuCount} GPUs of one product; this host has ${gpus.length} GPUs, at most ${mostAlike} of one product. Set gpus to at most ${mostAlike}.`;
  const reasons: readonly Reason[] = [{ code: 'no-such-gpu-count', numbers: { gpuCount, gpus: gpus.length, mostAlike } }];
  return { kind: 'refuse', code: 'DOES_NOT_FIT', message, retryAfterMs: null, reasons };
}

function largerBudget(a: GpuSnapshot, b: GpuSnapshot): GpuSnapshot {
  return b.budgetMiB > a.budgetMiB ? b : a;
}
