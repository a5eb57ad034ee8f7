import { candidatesFor } from './candidate.ts';
import { continueClaim } from './continue-claim.ts';
import { placeAnew } from './place-anew.ts';
import type { Plan } from './plan.ts';
import { refuseOutOfReach } from './refuse.ts';
import { serveOrJoin } from './serve-or-join.ts';
import type { OpenPlacement } from './snapshot.ts';
import type { Decision, World } from './world.ts';

/**
 * The next step of one placement, in the world that its elders leave. The first that holds:
 * 1. an older placement is about to give something back, and this one is not served yet → wait for that step
 * 2. an endpoint of its model serves it → serving, joined, or a drain called off (`serve-or-join.ts`)
 * 3. it runs on the CPU → start
 * 4. it fits on no set of GPUs, whatever is stopped → refuse (`refuse.ts`), its claim withdrawn first
 * 5. it holds a claim → next step of the claim (`continue-claim.ts`)
 * 6. start where it fits, or make room (`place-anew.ts`)
 */
export function decidePlacement(world: World, placement: OpenPlacement): Decision {
  const { model, requirement, right } = placement;

  // 2 before 1: who is served needs nothing of what is given back.
  const served = serveOrJoin(world, placement);
  if (served !== null && served.plan.kind !== 'apply') return served;
  // 1
  if (world.awaited !== null) return waitForOlder(world.awaited);
  // 2
  if (served !== null) return served;
  // 3
  if (requirement.kind === 'cpu') return settle(right === 'use' ? notPlaced() : startOnCpu(placement));
  // 4
  const candidates = candidatesFor(requirement, world.snapshot);
  const claim = world.snapshot.claims.find((other) => other.model === model);
  const outOfReach = refuseOutOfReach(placement, requirement, candidates, world.snapshot);
  if (outOfReach !== null)
    return settle(outOfReach.kind === 'refuse' && claim !== undefined ? withdrawFirst(outOfReach, placement) : outOfReach);
  // 5, 6
  const withinReach = candidates.filter((candidate) => candidate.reach === 'within');
  return claim === undefined ? placeAnew(world, placement, withinReach) : continueClaim(world, placement, claim, withinReach);
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
