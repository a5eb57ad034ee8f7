import { youngerClaims } from './age.ts';
import type { Candidate } from './candidate.ts';
import { explainFit } from './explain.ts';
import { filterVictims, sparedUntil } from './filter-victims.ts';
import { makeRoom, mayDisplace } from './make-room.ts';
import type { Action, Reason } from './plan.ts';
import type { Claim, OpenPlacement, Snapshot } from './snapshot.ts';
import { startNow } from './start-now.ts';
import { afterActions, type Decision, type World } from './world.ts';

/**
 * Places a model that holds no claim, on candidates within reach. In this order, the first that leads to something:
 * 1. known footprint: fits → start (or wait for the slot); else make room
 * 2. the same, with the claims of younger placements withdrawn one by one, the youngest first; without the right to displace only those for which
 *    nobody was evicted yet
 * 3. unknown footprint, that is on other GPU products: 1 and 2 as a discovery
 * 4. nothing → wait, and say what is in the way
 */
export function placeAnew(world: World, placement: OpenPlacement, candidates: readonly Candidate[]): Decision {
  if (placement.right === 'use') return { plan: { kind: 'wait', reasons: [{ code: 'may-not-place' }], untilMs: null }, holds: [] };
  const known = candidates.filter((candidate) => !candidate.discovery);
  const unknown = candidates.filter((candidate) => candidate.discovery);
  return place(world, placement, known) ?? place(world, placement, unknown) ?? waitForRoom(world, placement, candidates);
}

function place(world: World, placement: OpenPlacement, candidates: readonly Candidate[]): Decision | null {
  const younger = withdrawableClaims(world.snapshot, placement, candidates);
  for (let count = 0; count <= younger.length; count += 1) {
    const given = younger.slice(0, count);
    const yielded = afterActions(world, given.map(withdrawal));
    const decision = startNow(yielded, placement, candidates) ?? makeRoom(yielded, placement, candidates);
    if (decision !== null) return afterWithdrawals(decision, given);
  }
  return null;
}

/**
 * Whoever may not displace does not take what was evicted for somebody else either, however old: that one would have to evict once more, and it would be his
 * doing.
 */
function withdrawableClaims(snapshot: Snapshot, placement: OpenPlacement, candidates: readonly Candidate[]): readonly Claim[] {
  const younger = youngerClaims(snapshot, placement);
  if (candidates.some((candidate) => mayDisplace(placement, candidate.discovery))) return younger;
  const staying = new Set(snapshot.endpoints.filter((view) => view.endpoint.state !== 'stopping').map((view) => view.endpoint.generation));
  return younger.filter((claim) => claim.victims.every((generation) => staying.has(generation)));
}

function withdrawal(claim: Claim): Action {
  return { kind: 'withdraw-claim', model: claim.model, spareUntilMs: null };
}

/** Only those claims are withdrawn that are in the way of what is done now: the same GPUs, or the same victims. */
function afterWithdrawals(decision: Decision, given: readonly Claim[]): Decision {
  const { plan, holds } = decision;
  if (plan.kind !== 'apply') return decision;
  const inTheWay = given.filter((claim) => plan.actions.some((action) => conflicts(action, claim)));
  const actions = [...inTheWay.map(withdrawal), ...plan.actions];
  const reasons = [...inTheWay.map(({ model }) => ({ code: 'claim-withdrawn', model }) as const), ...plan.reasons];
  return { plan: { kind: 'apply', actions, reasons }, holds };
}

function conflicts(action: Action, claim: Claim): boolean {
  const allocations = action.kind === 'start' ? action.allocations : action.kind === 'write-claim' ? action.claim.allocations : [];
  const victims = action.kind === 'write-claim' ? action.claim.victims : [];
  return (
    allocations.some(({ gpuUuid }) => claim.allocations.some((claimed) => claimed.gpuUuid === gpuUuid)) ||
    victims.some((generation) => claim.victims.includes(generation))
  );
}

function waitForRoom(world: World, placement: OpenPlacement, candidates: readonly Candidate[]): Decision {
  const { snapshot } = world;
  const may = candidates.some((candidate) => mayDisplace(placement, candidate.discovery));
  const excluded = candidates.flatMap((candidate) => filterVictims(candidate, placement, snapshot).excluded);
  const sparedUntilMs = excluded.flatMap(({ view, reason }) => (reason.code === 'victim-spared' ? [sparedUntil(view) ?? 0] : []));
  const reasons: readonly Reason[] = [
    { code: may ? 'no-victims-left' : 'may-not-displace' },
    ...candidates.flatMap((candidate) => explainFit(candidate, placement.model, snapshot)),
    ...(may ? excluded.map(({ reason }) => reason) : []),
  ];
  const untilMs = may && sparedUntilMs.length > 0 ? Math.min(...sparedUntilMs) : null;
  return { plan: { kind: 'wait', reasons, untilMs }, holds: [] };
}
