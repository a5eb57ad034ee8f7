import type { ModelName } from '../ids.ts';
import { byAge } from './age.ts';
import { decidePlacement } from './decide-placement.ts';
import { asOnePiece, onRealGpus } from './one-at-a-time.ts';
import type { Plan } from './plan.ts';
import type { OpenPlacement, Snapshot } from './snapshot.ts';
import { afterDecision, createWorld } from './world.ts';

/**
 * What the placement of a model should do next. Pure: the same snapshot gives the same plan, and no argument is changed.
 *
 * Every older placement is decided first, and the world is taken as its next step will leave it: an older one that waits for a start
 * slot keeps its memory and the slot, one that needs room has its victims. So whoever asks first, the oldest wins. See `design.md`.
 *
 * `model` must be among the snapshot's placements; a `RangeError` says that the caller is mistaken.
 */
export function plan(snapshot: Snapshot, model: ModelName): Plan {
  const placement = snapshot.placements.find((open) => open.model === model);
  if (placement === undefined) throw new RangeError(`No open placement of ${model} in the snapshot.`);
  if (snapshot.readingsAvailable) return planInAgeOrder(snapshot, placement);
  const onePiece = asOnePiece(snapshot);
  const sameModel = onePiece.placements.find((open) => open.model === model) ?? placement;
  return onRealGpus(planInAgeOrder(onePiece, sameModel), snapshot, placement);
}

function planInAgeOrder(snapshot: Snapshot, placement: OpenPlacement): Plan {
  const older = snapshot.placements.filter((other) => byAge(other, placement) < 0).toSorted(byAge);
  const world = older.reduce((before, other) => afterDecision(before, other.model, decidePlacement(before, other)), createWorld(snapshot));
  return decidePlacement(world, placement).plan;
}
