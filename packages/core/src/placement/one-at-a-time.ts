import { asId, type GpuUuid } from '../ids.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import { isStayingPinned } from './discovery.ts';
import type { Action, Plan, Reason } from './plan.ts';
import type { Claim, EndpointSnapshot, OpenPlacement, Requirement, Snapshot } from './snapshot.ts';

/** Stands for all GPUs of the host together: one piece, which one model at a time may hold. */
const HOST = asId<GpuUuid>('host');
const HOST_PIECE: readonly GpuAllocation[] = [{ gpuUuid: HOST, vramMiB: 1 }];
const RETRY_MS = 30_000;

/**
 * The snapshot of a host whose memory cannot be read, as a host with a single GPU of 1 MiB, of which every GPU model needs and holds all.
 * So the planner evicts, claims, drains and waits as ever, and arrives at one model at a time.
 */
export function asOnePiece(snapshot: Snapshot): Snapshot {
  return {
    ...snapshot,
    gpus: [{ uuid: HOST, index: 0, product: 'unread', budgetMiB: 1, foreignMiB: 0 }],
    endpoints: snapshot.endpoints.map(holdingThePiece),
    placements: snapshot.placements.map((placement) => ({ ...placement, requirement: needingThePiece(placement.requirement) })),
    claims: snapshot.claims.map((claim) => ({ ...claim, allocations: HOST_PIECE, discovery: false })),
  };
}

/** A plan for the one piece as a plan for the GPUs of the host: the first ones, without a claim to any number of MiB. */
export function onRealGpus(plan: Plan, snapshot: Snapshot, { model, requirement }: OpenPlacement): Plan {
  const gpuCount = requirement.kind === 'gpu' ? requirement.gpuCount : 0;
  const firstGpus = snapshot.gpus.toSorted((a, b) => a.index - b.index).slice(0, gpuCount);
  const allocations = firstGpus.map((gpu) => ({ gpuUuid: gpu.uuid, vramMiB: 0 }));
  const reasons: readonly Reason[] = [{ code: 'readings-unavailable' }, ...plan.reasons.map(withoutPiece)];
  if (plan.kind === 'apply') return { ...plan, actions: plan.actions.map((action) => withAllocations(action, allocations)), reasons };
  if (plan.kind !== 'refuse') return { ...plan, reasons };
  const pinned = snapshot.endpoints.filter((view) => isStayingPinned(view) && usesGpu(view)).map((view) => view.endpoint.model);
  const message = `${model} has to wait: GPU memory cannot be read, so one GPU model runs at a time, and ${pinned.join(', ')} is pinned. Make nvidia-smi work again, or unpin it.`;
  return { ...plan, code: 'NO_CAPACITY_NOW', message, retryAfterMs: RETRY_MS, reasons };
}

function usesGpu(view: EndpointSnapshot): boolean {
  return view.usesGpu ?? view.endpoint.allocations.length > 0;
}

function holdingThePiece(view: EndpointSnapshot): EndpointSnapshot {
  return { ...view, endpoint: { ...view.endpoint, allocations: usesGpu(view) ? HOST_PIECE : [] } };
}

function needingThePiece(requirement: Requirement): Requirement {
  if (requirement.kind === 'cpu') return requirement;
  return { kind: 'gpu', gpuCount: 1, vramMiBByProduct: new Map([['unread', 1]]), atLeastMiB: 0 };
}

function withAllocations(action: Action, allocations: readonly GpuAllocation[]): Action {
  if (action.kind === 'start') return action.allocations.length === 0 ? action : { ...action, allocations };
  if (action.kind !== 'write-claim') return action;
  const claim: Claim = { ...action.claim, allocations };
  return { ...action, claim };
}

/** The piece is no GPU that anybody knows, and its MiB are no MiB. */
function withoutPiece({ gpuUuid, numbers, ...reason }: Reason): Reason {
  return gpuUuid === HOST || numbers === undefined ? reason : { ...reason, numbers };
}
