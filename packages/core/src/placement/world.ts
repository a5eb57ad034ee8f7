import type { GpuUuid, ModelName } from '../ids.ts';
import { transition } from '../lifecycle/transition.ts';
import type { EndpointEvent } from '../lifecycle/endpoint-event.ts';
import type { GpuAllocation } from '../memory/allocation.ts';
import type { Action, Plan } from './plan.ts';
import type { Claim, EndpointSnapshot, Snapshot } from './snapshot.ts';

/** A snapshot as the next steps of all older placements will leave it. */
export interface World {
  readonly snapshot: Snapshot;
  /** The snapshot as it was read. */
  readonly actual: Snapshot;
  /** GPUs whose next start belongs to an older placement. */
  readonly owedSlots: ReadonlySet<GpuUuid>;
  /**
   * An older placement whose next step gives something back: a claim, a victim, memory of another GPU. Until it has done so, what it
   * gives back is still taken in the registry, and nobody may build on it.
   */
  readonly awaited: ModelName | null;
}

/** A plan, and what its placement holds against younger ones although the plan does not say so by an action. */
export interface Decision {
  readonly plan: Plan;
  /** Memory it would start with if only the start slot were free; the slots of these GPUs are owed to it. */
  readonly holds: readonly GpuAllocation[];
}

export function createWorld(snapshot: Snapshot): World {
  return { snapshot, actual: snapshot, owedSlots: new Set(), awaited: null };
}

/** The world once `model` has carried out its decision. */
export function afterDecision(world: World, model: ModelName, decision: Decision): World {
  const actions = decision.plan.kind === 'apply' ? decision.plan.actions : [];
  const hadClaim = world.snapshot.claims.some((claim) => claim.model === model);
  const givesBack = actions.some((action) => action.kind === 'withdraw-claim' || (action.kind === 'start' && hadClaim));
  const after = hold(afterActions(world, actions), model, decision.holds);
  return givesBack ? { ...after, awaited: world.awaited ?? model } : after;
}

export function afterActions(world: World, actions: readonly Action[]): World {
  return actions.reduce(afterAction, world);
}

function afterAction(world: World, action: Action): World {
  const { claims, nowMs } = world.snapshot;
  if (action.kind === 'write-claim') return withClaims(world, [...claimsWithout(claims, action.claim.model), action.claim]);
  if (action.kind === 'start') return hold(withClaims(world, claimsWithout(claims, action.model)), action.model, action.allocations);
  const after = withEvents(world, (view) => eventOf(action, view, nowMs));
  return action.kind === 'withdraw-claim' ? withClaims(after, claimsWithout(claims, action.model)) : after;
}

/** What an action does to one endpoint; `null` where it is about another one. */
function eventOf(action: Exclude<Action, { kind: 'write-claim' | 'start' }>, view: EndpointSnapshot, nowMs: number): EndpointEvent | null {
  const { endpoint } = view;
  if (action.kind === 'withdraw-claim') {
    return drainsFor(view, action.model) ? { kind: 'drain-called-off', sparedUntilMs: action.spareUntilMs } : null;
  }
  if (endpoint.generation !== action.generation) return null;
  if (action.kind === 'call-off-drain') return { kind: 'drain-called-off', sparedUntilMs: action.spareUntilMs };
  if (action.kind === 'begin-drain') return { kind: 'drain-begun', reason: action.reason, claimedBy: action.claimedBy, atMs: nowMs };
  const reason = endpoint.state === 'draining' ? endpoint.reason : 'evicted';
  return { kind: 'stop-begun', reason, atMs: nowMs, kill: false, failure: null };
}

/** Whether an endpoint drains for the claim of a model, and for no other reason. */
export function drainsFor({ endpoint }: EndpointSnapshot, model: ModelName): boolean {
  return endpoint.state === 'draining' && endpoint.reason === 'evicted' && endpoint.claimedBy === model;
}

/** Memory that is as good as taken is a claim without victims; its start slots are owed. */
function hold(world: World, model: ModelName, allocations: readonly GpuAllocation[]): World {
  if (allocations.length === 0) return world;
  const { nowMs, claims } = world.snapshot;
  const held: Claim = { model, allocations, discovery: false, victims: [], claimedAtMs: nowMs, drainingSinceMs: nowMs };
  const owedSlots = new Set([...world.owedSlots, ...allocations.map((allocation) => allocation.gpuUuid)]);
  return { ...withClaims(world, [...claims, held]), owedSlots };
}

function withClaims(world: World, claims: readonly Claim[]): World {
  return { ...world, snapshot: { ...world.snapshot, claims } };
}

function claimsWithout(claims: readonly Claim[], model: ModelName): readonly Claim[] {
  return claims.filter((claim) => claim.model !== model);
}

function withEvents(world: World, eventFor: (view: EndpointSnapshot) => EndpointEvent | null): World {
  const endpoints = world.snapshot.endpoints.map((view) => {
    const event = eventFor(view);
    const endpoint = event === null ? view.endpoint : transition(view.endpoint, event);
    return endpoint.state === 'gone' ? view : { ...view, endpoint };
  });
  return { ...world, snapshot: { ...world.snapshot, endpoints } };
}
