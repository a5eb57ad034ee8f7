import { allocatedOn } from '../memory/allocation.ts';
import { hasStronger } from './age.ts';
import { type Candidate, gpuUuidsOf, isOnGpusOf, needOn } from './candidate.ts';
import { generationsOf } from './choose-eviction.ts';
import { inTheWayOfDiscovery } from './discovery.ts';
import { explainFit, reasonAbout } from './explain.ts';
import { shortages } from './fit.ts';
import { beginDrains, drainReasons, mayDisplace } from './make-room.ts';
import type { Action, Reason } from './plan.ts';
import { placeAnew } from './place-anew.ts';
import { isSettledFor, residencyEndsAtMs } from './residency.ts';
import { freedMiB } from './select-victims.ts';
import type { Claim, EndpointSnapshot, OpenPlacement, Snapshot } from './snapshot.ts';
import { startNow } from './start-now.ts';
import { afterActions, type Decision, drainsFor, type World } from './world.ts';

/** For this many drain timeouts a victim whose drain was called off is left alone while it is busy. */
const SPARED_DRAIN_TIMEOUTS = 5;

/**
 * The next step of a placement that holds a claim. The first that holds:
 * 1. it fits somewhere by now → call off what still drains for it, start (or wait for the start slot)
 * 2. a stronger right waits for it as well → left to that one
 * 3. nobody who waits may start it any more; or displace, and some victim can still be let go → withdraw
 * 4. the claim cannot succeed, or asks for something else than is needed now → withdraw and place anew in the same step
 * 5. a discovery's remainder shrank under it → write the claim smaller
 * 6. a victim starts, is within residency, or is yet to serve an older placement → wait
 * 7. a victim is still ready → begin the drain of all that are
 * 8. all that drain are drained → stop them
 * 9. they drain for longer than the drain timeout → withdraw and spare them
 * 10. they drain → wait
 * 11. they stop, or are gone → wait for their memory
 */
export function continueClaim(world: World, placement: OpenPlacement, claim: Claim, candidates: readonly Candidate[]): Decision {
  const { snapshot } = world;
  const victims = snapshot.endpoints.filter((view) => claim.victims.includes(view.endpoint.generation));

  // 1
  const start = placement.right === 'use' ? null : startNow(world, placement, candidates);
  if (start !== null) return startWithout(start, placement, victims);
  // 2
  if (hasStronger(snapshot, placement)) return wait([{ code: 'may-not-displace' }], null);
  // 3
  if (isUnwanted(placement, claim, victims)) return withdraw(placement, null, [{ code: 'may-not-displace' }]);
  // 4
  const target = candidates.find((candidate) => isOnGpusOf(claim.allocations, candidate));
  if (target === undefined || !canSucceed(claim, target, victims, snapshot)) return withdrawAndPlaceAnew(world, placement, candidates);
  // 5
  if (isShrunk(claim, target)) return writeSmaller(claim, target);
  // 6
  const unsettled = victims.filter((view) => !isSettledFor(placement, view, snapshot));
  if (unsettled.length > 0) return waitForSettling(unsettled, snapshot);
  // 7
  if (victims.some((view) => view.endpoint.state === 'ready')) return drainAll(placement, claim, victims, snapshot);
  // 8
  const draining = victims.filter((view) => view.endpoint.state === 'draining');
  if (draining.length > 0 && draining.every((view) => view.drained)) return stopAll(draining);
  // 9, 10
  if (draining.length > 0) return waitForDrain(placement, claim, draining, snapshot);
  // 11
  const reasons: readonly Reason[] = [
    ...victims.map((view) => reasonAbout('waiting-for-memory', view)),
    ...explainFit(target, placement.model, snapshot),
  ];
  return wait(reasons, null);
}

function startWithout(start: Decision, placement: OpenPlacement, victims: readonly EndpointSnapshot[]): Decision {
  if (start.plan.kind !== 'apply') return start;
  const unneeded = victims.filter((view) => drainsFor(view, placement.model));
  const actions: readonly Action[] = unneeded.map(({ endpoint }) => ({
    kind: 'call-off-drain',
    generation: endpoint.generation,
    spareUntilMs: null,
  }));
  const reasons = unneeded.map((view) => reasonAbout('victim-superfluous', view));
  return { ...start, plan: { kind: 'apply', actions: [...actions, ...start.plan.actions], reasons: [...reasons, ...start.plan.reasons] } };
}

function isUnwanted(placement: OpenPlacement, claim: Claim, victims: readonly EndpointSnapshot[]): boolean {
  if (placement.right === 'use') return true;
  return !mayDisplace(placement, claim.discovery) && victims.some((view) => view.endpoint.state !== 'stopping');
}

function withdraw(placement: OpenPlacement, spareUntilMs: number | null, why: readonly Reason[]): Decision {
  const reasons: readonly Reason[] = [...why, { code: 'claim-withdrawn', model: placement.model }];
  return { plan: { kind: 'apply', actions: [{ kind: 'withdraw-claim', model: placement.model, spareUntilMs }], reasons }, holds: [] };
}

function withdrawAndPlaceAnew(world: World, placement: OpenPlacement, candidates: readonly Candidate[]): Decision {
  const action: Action = { kind: 'withdraw-claim', model: placement.model, spareUntilMs: null };
  const anew = placeAnew(afterActions(world, [action]), placement, candidates);
  const actions = [action, ...(anew.plan.kind === 'apply' ? anew.plan.actions : [])];
  return {
    plan: { kind: 'apply', actions, reasons: [{ code: 'claim-withdrawn', model: placement.model }, ...anew.plan.reasons] },
    holds: anew.holds,
  };
}

/** Whether the claim still asks for what is needed, of victims that may be had, and their end makes enough room. */
function canSucceed(claim: Claim, target: Candidate, victims: readonly EndpointSnapshot[], snapshot: Snapshot): boolean {
  if (claim.discovery !== target.discovery) return false;
  if (victims.some((view) => view.pinned && view.endpoint.state !== 'stopping')) return false;
  if (!claim.discovery && claim.allocations.some(({ gpuUuid, vramMiB }) => vramMiB !== needOn(target, gpuUuid))) return false;
  const inTheWay = claim.discovery ? generationsOf(inTheWayOfDiscovery(gpuUuidsOf(target), snapshot)) : [];
  if (inTheWay.some((generation) => !claim.victims.includes(generation))) return false;
  return [...shortages(smallerOf(claim, target), claim.model, snapshot)].every(([uuid, missing]) => freedMiB(victims, uuid) >= missing);
}

function isShrunk(claim: Claim, target: Candidate): boolean {
  return claim.allocations.some(({ gpuUuid, vramMiB }) => vramMiB > needOn(target, gpuUuid));
}

function writeSmaller(claim: Claim, target: Candidate): Decision {
  const { allocations } = smallerOf(claim, target);
  const reasons: readonly Reason[] = allocations.map(({ gpuUuid, vramMiB }) => ({
    code: 'foreign-memory',
    gpuUuid,
    numbers: { claimedMiB: allocatedOn(claim.allocations, gpuUuid), remainderMiB: vramMiB },
  }));
  return { plan: { kind: 'apply', actions: [{ kind: 'write-claim', claim: { ...claim, allocations } }], reasons }, holds: [] };
}

function smallerOf(claim: Claim, target: Candidate): Candidate {
  const allocations = claim.allocations.map(({ gpuUuid, vramMiB }) => ({ gpuUuid, vramMiB: Math.min(vramMiB, needOn(target, gpuUuid)) }));
  return { ...target, allocations };
}

function waitForSettling(unsettled: readonly EndpointSnapshot[], snapshot: Snapshot): Decision {
  const ends = unsettled.map((view) => residencyEndsAtMs(view, snapshot.settings));
  const known = ends.filter((endsAtMs) => endsAtMs !== null).filter((endsAtMs) => endsAtMs > snapshot.nowMs);
  const reasons = unsettled.map((view, at) => {
    const endsAtMs = ends[at] ?? null;
    return reasonAbout('victim-not-settled', view, endsAtMs === null ? undefined : { settlesInMs: Math.max(0, endsAtMs - snapshot.nowMs) });
  });
  // An endpoint that starts becomes ready by itself, not by time; one that is yet to serve an older placement does so any moment.
  return wait(reasons, known.length === ends.length ? Math.max(...known) : null);
}

function drainAll(placement: OpenPlacement, claim: Claim, victims: readonly EndpointSnapshot[], snapshot: Snapshot): Decision {
  const begun = beginDrains(placement, victims);
  const dated: readonly Action[] =
    claim.drainingSinceMs === null ? [{ kind: 'write-claim', claim: { ...claim, drainingSinceMs: snapshot.nowMs } }] : [];
  return { plan: { kind: 'apply', actions: [...dated, ...begun], reasons: drainReasons(begun, victims) }, holds: [] };
}

function stopAll(draining: readonly EndpointSnapshot[]): Decision {
  const actions = draining.map(({ endpoint }) => ({ kind: 'stop', generation: endpoint.generation }) as const);
  return { plan: { kind: 'apply', actions, reasons: draining.map((view) => reasonAbout('victims-drained', view)) }, holds: [] };
}

function waitForDrain(placement: OpenPlacement, claim: Claim, draining: readonly EndpointSnapshot[], snapshot: Snapshot): Decision {
  const { nowMs, settings } = snapshot;
  const busy = draining.filter((view) => !view.drained);
  const endsAtMs = (claim.drainingSinceMs ?? nowMs) + settings.drainTimeoutMs;
  if (nowMs < endsAtMs) {
    const reasons = busy.map((view) => reasonAbout('waiting-for-drain', view, { inFlight: view.inFlight, timesOutInMs: endsAtMs - nowMs }));
    return wait(reasons, endsAtMs);
  }
  const reasons = busy.map((view) =>
    reasonAbout('drain-timed-out', view, { inFlight: view.inFlight, drainTimeoutMs: settings.drainTimeoutMs }),
  );
  return withdraw(placement, nowMs + SPARED_DRAIN_TIMEOUTS * settings.drainTimeoutMs, reasons);
}

function wait(reasons: readonly Reason[], untilMs: number | null): Decision {
  return { plan: { kind: 'wait', reasons, untilMs }, holds: [] };
}
