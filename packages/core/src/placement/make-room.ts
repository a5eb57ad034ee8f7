import type { Candidate } from './candidate.ts';
import { chooseEviction, generationsOf } from './choose-eviction.ts';
import { explainDiscovery, explainFit, explainVictim, reasonAbout } from './explain.ts';
import type { Action, Reason } from './plan.ts';
import { isSettledFor } from './residency.ts';
import type { Claim, EndpointSnapshot, OpenPlacement } from './snapshot.ts';
import type { Decision, World } from './world.ts';

/**
 * Chooses victims and claims their memory in the same step, so that nobody else builds on it:
 * 1. all victims settled → claim, and all their drains begin
 * 2. one of them starts, is within residency, or is yet to serve an older placement → claim only; `continueClaim` begins the drains when the last of these ends
 *
 * `null` when nothing may be displaced, or nothing that may suffices.
 */
export function makeRoom(world: World, placement: OpenPlacement, candidates: readonly Candidate[]): Decision | null {
  const { snapshot } = world;
  const allowed = candidates.filter((candidate) => mayDisplace(placement, candidate.discovery));
  const eviction = chooseEviction(allowed, placement, snapshot);
  if (eviction === null) return null;
  const { candidate, victims } = eviction;
  const settled = victims.every((view) => isSettledFor(placement, view, snapshot));
  const claim: Claim = {
    model: placement.model,
    allocations: candidate.allocations,
    discovery: candidate.discovery,
    victims: generationsOf(victims),
    claimedAtMs: snapshot.nowMs,
    drainingSinceMs: settled ? snapshot.nowMs : null,
  };
  const actions: readonly Action[] = [{ kind: 'write-claim', claim }, ...(settled ? beginDrains(placement, victims) : [])];
  const reasons: readonly Reason[] = [
    ...explainDiscovery(candidate),
    ...explainFit(candidate, placement.model, snapshot),
    ...victims.map((view) => explainVictim(view, snapshot)),
    ...claim.allocations.map(({ gpuUuid, vramMiB }) => ({ code: 'claim-written', gpuUuid, numbers: { vramMiB } }) as const),
    ...drainReasons(actions, victims),
  ];
  return { plan: { kind: 'apply', actions, reasons }, holds: [] };
}

/** Whether a placement may cause an eviction: by right, or as a preload that discovers. */
export function mayDisplace({ right, preload }: OpenPlacement, discovery: boolean): boolean {
  return right === 'displace' || (right === 'place' && preload && discovery);
}

/** Those that drain or stop already need no drain. */
export function beginDrains({ model }: OpenPlacement, victims: readonly EndpointSnapshot[]): readonly Action[] {
  return victims
    .filter((view) => view.endpoint.state === 'ready')
    .map((view) => ({ kind: 'begin-drain', generation: view.endpoint.generation, reason: 'evicted', claimedBy: model }));
}

export function drainReasons(actions: readonly Action[], victims: readonly EndpointSnapshot[]): readonly Reason[] {
  const begun = new Set(actions.flatMap((action) => (action.kind === 'begin-drain' ? [action.generation] : [])));
  return victims
    .filter((view) => begun.has(view.endpoint.generation))
    .map((view) => reasonAbout('drain-begun', view, { inFlight: view.inFlight }));
}
