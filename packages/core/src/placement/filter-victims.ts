import type { Generation, ModelName } from '../ids.ts';
import { type Candidate, gpuUuidsOf } from './candidate.ts';
import { isOnAny } from './discovery.ts';
import type { Reason } from './plan.ts';
import { isLeaving } from './residency.ts';
import type { EndpointSnapshot, OpenPlacement, Snapshot } from './snapshot.ts';

export interface FilteredVictims {
  readonly possible: readonly EndpointSnapshot[];
  /** Those on the candidate's GPUs that may not be taken, each with the reason. */
  readonly excluded: readonly { readonly view: EndpointSnapshot; readonly reason: Reason }[];
}

/**
 * Who may be a victim of a placement on a candidate. Not one that
 * 1. is pinned (once it stops, its memory is anybody's),
 * 2. is the victim of another claim: an endpoint is victim of one claim at most,
 * 3. is spared and busy: its drain was called off lately,
 * 4. was not placed by a preload itself, when a preload asks; unless it is leaving anyway.
 */
export function filterVictims(candidate: Candidate, placement: OpenPlacement, snapshot: Snapshot): FilteredVictims {
  const claimedBy = claimants(snapshot);
  const verdicts = snapshot.endpoints
    .filter((view) => isOnAny(view, gpuUuidsOf(candidate)))
    .map((view) => ({ view, reason: exclusion(view, placement, claimedBy.get(view.endpoint.generation), snapshot.nowMs) }));
  return {
    possible: verdicts.filter(({ reason }) => reason === null).map(({ view }) => view),
    excluded: verdicts.flatMap(({ view, reason }) => (reason === null ? [] : [{ view, reason }])),
  };
}

function exclusion(view: EndpointSnapshot, placement: OpenPlacement, claimedBy: ModelName | undefined, nowMs: number): Reason | null {
  const { endpoint } = view;
  const who = { model: endpoint.model, generation: endpoint.generation };
  if (view.pinned && endpoint.state !== 'stopping') return { code: 'victim-pinned', ...who };
  if (claimedBy !== undefined && claimedBy !== placement.model) return { code: 'victim-claimed', ...who };
  const sparedUntilMs = sparedUntil(view);
  if (sparedUntilMs !== null && sparedUntilMs > nowMs && view.inFlight > 0) {
    return { code: 'victim-spared', ...who, numbers: { sparedForMs: sparedUntilMs - nowMs, inFlight: view.inFlight } };
  }
  if (placement.preload && !view.preloaded && !isLeaving(endpoint)) return { code: 'victim-not-preloaded', ...who };
  return null;
}

/** Until when an endpoint counts as a victim only while nothing is in flight on it. */
export function sparedUntil({ endpoint }: EndpointSnapshot): number | null {
  return endpoint.state === 'ready' || endpoint.state === 'draining' ? endpoint.sparedUntilMs : null;
}

function claimants(snapshot: Snapshot): ReadonlyMap<Generation, ModelName> {
  return new Map(snapshot.claims.flatMap((claim) => claim.victims.map((generation) => [generation, claim.model] as const)));
}
