import { youngerClaims } from './age.ts';
import { reasonAbout } from './explain.ts';
import type { Action, Reason } from './plan.ts';
import type { DrainingEndpoint } from '../lifecycle/endpoint.ts';
import type { Claim, EndpointSnapshot, OpenPlacement } from './snapshot.ts';
import { type Decision, drainsFor, type World } from './world.ts';

/**
 * What the model's own endpoints already give it; `null` when it needs a new one. The first that holds:
 * 1. one is ready → serving; one of the present launch signature before a superseded one, which serves on until it is drained
 * 2. one starts → joined: whatever was begun is driven to ready or failed
 * 3. one drains and may be had back → its drain is called off, and the claim of a younger placement on it is withdrawn
 */
export function serveOrJoin(world: World, placement: OpenPlacement): Decision | null {
  // What is ready or starts now does so until an older placement's next step is really taken.
  const ownNow = world.actual.endpoints.filter((view) => view.endpoint.model === placement.model).toSorted(currentFirst);
  const ready = ownNow.find((view) => view.endpoint.state === 'ready');
  if (ready !== undefined) {
    const reasons = [reasonAbout('already-serving', ready)];
    return { plan: { kind: 'serving', generation: ready.endpoint.generation, reasons }, holds: [] };
  }
  const starting = ownNow.find((view) => view.endpoint.state === 'starting');
  if (starting !== undefined) {
    const reasons = [reasonAbout('start-under-way', starting)];
    return { plan: { kind: 'joined', generation: starting.endpoint.generation, reasons }, holds: [] };
  }
  const own = world.snapshot.endpoints.filter((view) => view.endpoint.model === placement.model).toSorted(currentFirst);
  const draining = own.find((view) => mayBeHadBack(view, world, placement));
  return draining === undefined ? null : callOff(draining, world);
}

function currentFirst(a: EndpointSnapshot, b: EndpointSnapshot): number {
  return Number(b.current) - Number(a.current);
}

function mayBeHadBack(view: EndpointSnapshot, world: World, placement: OpenPlacement): boolean {
  if (view.endpoint.state !== 'draining' || isWantedGone(view.endpoint, view.current)) return false;
  const claim = claimOn(view, world);
  return claim === undefined || youngerClaims(world.snapshot, placement).includes(claim);
}

/** An operator stops it; or it is superseded, and this is the moment without requests that its replacement waited for. */
function isWantedGone(endpoint: DrainingEndpoint, current: boolean): boolean {
  return endpoint.reason === 'operator' || (endpoint.reason === 'superseded' && !current);
}

function callOff(view: EndpointSnapshot, world: World): Decision {
  const { generation } = view.endpoint;
  const claim = claimOn(view, world);
  const byWithdrawal = claim !== undefined && drainsFor(view, claim.model);
  const actions: readonly Action[] = [
    ...(byWithdrawal ? [] : [{ kind: 'call-off-drain', generation, spareUntilMs: null } as const]),
    ...(claim === undefined ? [] : [{ kind: 'withdraw-claim', model: claim.model, spareUntilMs: null } as const]),
  ];
  const reasons: readonly Reason[] = [
    ...(claim === undefined ? [] : [{ code: 'claim-withdrawn', model: claim.model } as const]),
    reasonAbout('drain-called-off', view),
  ];
  return { plan: { kind: 'apply', actions, reasons }, holds: [] };
}

function claimOn(view: EndpointSnapshot, world: World): Claim | undefined {
  return world.snapshot.claims.find((claim) => claim.victims.includes(view.endpoint.generation));
}
