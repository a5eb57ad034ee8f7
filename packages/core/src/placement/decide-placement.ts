import { candidatesFor } from './candidate.ts';
import { continueClaim } from './continue-claim.ts';
import { placeAnew } from './place-anew.ts';
import type { Plan } from './plan.ts';
import { refuseOutOfReach } from './refuse-out-of-reach.ts';
import { serveOrJoin } from './serve-or-join.ts';
import type { OpenPlacement } from './snapshot.ts';
import type { Decision, World } from './world.ts';

/**
 * The next step of one placement, in the world that its elders leave. The first that holds:
 * 1. an endpoint of its model is ready or starts → serving, joined (`serve-or-join.ts`)
 * 2. an older placement is about to give something back → wait for that step: what it gives back is still taken
 * 3. an endpoint of its model drains and may be had back → the drain is called off (`serve-or-join.ts`)
 * 4. it runs on the CPU → start
 * 5. it fits on no set of GPUs, whatever is stopped → refuse (`refuse-out-of-reach.ts`), its claim withdrawn first
 * 6. it holds a claim → next step of the claim (`continue-claim.ts`)
 * 7. start where it fits, or make room (`place-anew.ts`)
 */
export function decidePlacement(world: World, placement: OpenPlacement): Decision {
  const { model, requirement, right } = placement;

  // 1
  const served = serveOrJoin(world, placement);
  if (served !== null && served.plan.kind !== 'apply') return served;
  // 2
  if (world.awaited !== null) return waitForOlder(world.awaited);
  // 3
  if (served !== null) return served;
  // 4
  if (requirement.kind === 'cpu') return settle(right === 'use' ? notPlaced() : startOnCpu(placement));
  // 5
  const candidates = candidatesFor(requirement, world.snapshot);
  const claim = world.snapshot.claims.find((other) => other.model === model);
  const outOfReach = refuseOutOfReach(placement, requirement, candidates, world.snapshot);
  if (outOfReach !== null)
    return settle(outOfReach.kind === 'refuse' && claim !== undefined ? withdrawFirst(outOfReach, placement) : outOfReach);
  const withinReach = candidates.filter((candidate) => candidate.reach === 'within');
  // 6
  if (claim !== undefined) return continueClaim(world, placement, claim, withinReach);
  // 7
  return placeAnew(world, placement, withinReach);
}

function waitForOlder(model: OpenPlacement['model']): Decision {
  return settle({ kind: 'wait', reasons: [{ code: 'waiting-for-older-placement', model }], untilMs: null });
}

function startOnCpu({ model }: OpenPlacement): Plan {
  return { kind: 'apply', actions: [{ kind: 'start', model, allocations: [], discovery: false }], reasons: [{ code: 'runs-on-cpu' }] };
}

function notPlaced(): Plan {
  return { kind: 'wait', reasons: [{ code: 'may-not-place' }], untilMs: null };
}

function withdrawFirst(refusal: Plan, { model }: OpenPlacement): Plan {
  const reasons = [{ code: 'claim-withdrawn', model } as const, ...refusal.reasons];
  return { kind: 'apply', actions: [{ kind: 'withdraw-claim', model, spareUntilMs: null }], reasons };
}

function settle(plan: Plan): Decision {
  return { plan, holds: [] };
}
