import type { ModelName } from '../ids.ts';
import { byAge, hasStronger } from './age.ts';
import { decidePlacement } from './decide-placement.ts';
import { asOnePiece, onRealGpus } from './one-at-a-time.ts';
import type { Plan } from './plan.ts';
import type { Snapshot } from './snapshot.ts';
import { afterDecision, createWorld, type Decision } from './world.ts';

/**
 * What the placement of a model should do next. Pure: the same snapshot gives the same plan, and no argument is changed.
 *
 * Every older placement is decided first, and the world is taken as its next step will leave it: an older one that waits for a start
 * slot keeps its memory and the slot, one that needs room has its victims. So whoever asks first, the oldest wins. See `design.md`.
 *
 * A model that several rights wait for is decided once for each, at the age of each, until one of them leads to something.
 *
 * `model` must be among the snapshot's placements; a `RangeError` says that the caller is mistaken.
 */
export function plan(snapshot: Snapshot, model: ModelName): Plan {
  const placement = snapshot.placements.find((open) => open.model === model);
  if (placement === undefined) throw new RangeError(`No open placement of ${model} in the snapshot.`);
  if (snapshot.readingsAvailable) return planInAgeOrder(snapshot, model);
  return onRealGpus(planInAgeOrder(asOnePiece(snapshot), model), snapshot, placement);
}

function planInAgeOrder(snapshot: Snapshot, model: ModelName): Plan {
  let world = createWorld(snapshot);
  const decided = new Set<ModelName>();
  for (const placement of snapshot.placements.toSorted(byAge)) {
    if (decided.has(placement.model)) continue;
    const decision = decidePlacement(world, placement);
    const isLast = !hasStronger(snapshot, placement);
    if (isLast || leadsToSomething(decision)) {
      if (placement.model === model) return decision.plan;
      decided.add(placement.model);
    }
    world = afterDecision(world, placement.model, decision);
  }
  throw new RangeError(`No open placement of ${model} in the snapshot.`);
}

/** Else a stronger right of the same model may do more, at its own age. */
function leadsToSomething({ plan: { kind }, holds }: Decision): boolean {
  return kind !== 'wait' || holds.length > 0;
}
