import { allocatedOn, type GpuAllocation } from '../memory/allocation.ts';
import type { GpuUuid } from '../ids.ts';
import { discoveryRemainderMiB, stayingPinnedMiB } from './discovery.ts';
import { gpuSets } from './gpu-sets.ts';
import type { GpuSnapshot, Requirement, Snapshot } from './snapshot.ts';
import { ledgerOf } from './ledger-of.ts';

export type GpuRequirement = Extract<Requirement, { kind: 'gpu' }>;

/** A set of GPUs that could carry a placement, and what the placement would hold there. */
export interface Candidate {
  readonly gpus: readonly GpuSnapshot[];
  /** The footprint is unknown on this product: it wants everything that is not pinned and not foreign. */
  readonly discovery: boolean;
  /** What it holds from its start on: the footprint, or the whole remainder. */
  readonly allocations: readonly GpuAllocation[];
  /** The least per GPU without which a start makes no sense: the footprint, or what is known to be needed at least. */
  readonly leastMiB: number;
  readonly reach: Reach;
}

/**
 * Whether a placement could ever run on a set, if everything that may be stopped were stopped; else what stands in its way:
 * the budget itself, pinned models, foreign memory, or that foreign memory is not known.
 */
export type Reach = 'within' | 'over-budget' | 'beside-pinned' | 'beside-foreign' | 'unknown';

/** Every set of GPUs of one product and the right number. */
export function candidatesFor(requirement: GpuRequirement, snapshot: Snapshot): readonly Candidate[] {
  const ledgers = ledgerOf(snapshot);
  const room = (gpu: GpuSnapshot): number => ledgers.get(gpu.uuid)?.availableMiB ?? Number.NEGATIVE_INFINITY;
  return gpuSets(snapshot.gpus, requirement.gpuCount, room).map((gpus) => candidateOn(gpus, requirement, snapshot));
}

export function gpuUuidsOf(candidate: Candidate): readonly GpuUuid[] {
  return candidate.gpus.map((gpu) => gpu.uuid);
}

/** Whether a list of allocations names exactly the GPUs of a candidate. */
export function isOnGpusOf(allocations: readonly GpuAllocation[], candidate: Candidate): boolean {
  const uuids = new Set(gpuUuidsOf(candidate));
  return allocations.length === uuids.size && allocations.every((allocation) => uuids.has(allocation.gpuUuid));
}

/** What a candidate needs on one of its GPUs. */
export function needOn(candidate: Candidate, gpuUuid: GpuUuid): number {
  return allocatedOn(candidate.allocations, gpuUuid);
}

function candidateOn(gpus: readonly GpuSnapshot[], requirement: GpuRequirement, snapshot: Snapshot): Candidate {
  const product = gpus[0]?.product ?? '';
  const knownMiB = requirement.vramMiBByProduct.get(product);
  // A footprint of nothing would fit on a GPU that is over its budget.
  const leastMiB = Math.max(1, Math.ceil(knownMiB ?? requirement.atLeastMiB));
  const allocations = gpus.map((gpu) => ({
    gpuUuid: gpu.uuid,
    vramMiB: knownMiB === undefined ? Math.max(0, discoveryRemainderMiB(gpu, snapshot) ?? 0) : leastMiB,
  }));
  return { gpus, discovery: knownMiB === undefined, allocations, leastMiB, reach: reachOf(gpus, leastMiB, snapshot) };
}

function reachOf(gpus: readonly GpuSnapshot[], leastMiB: number, snapshot: Snapshot): Reach {
  if (gpus.some((gpu) => leastMiB > gpu.budgetMiB)) return 'over-budget';
  if (gpus.some((gpu) => leastMiB > gpu.budgetMiB - stayingPinnedMiB(gpu, snapshot))) return 'beside-pinned';
  if (gpus.some((gpu) => gpu.foreignMiB === null)) return 'unknown';
  if (gpus.some((gpu) => leastMiB > (discoveryRemainderMiB(gpu, snapshot) ?? 0))) return 'beside-foreign';
  return 'within';
}
