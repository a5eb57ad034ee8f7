import type { GpuUuid, ModelName } from '../ids.ts';
import { availableFor, type GpuLedger } from '../memory/ledger.ts';
import { type Candidate, gpuUuidsOf, needOn } from './candidate.ts';
import { inTheWayOfDiscovery, isOnAny } from './discovery.ts';
import type { Snapshot } from './snapshot.ts';
import type { World } from './world.ts';
import { ledgerOf } from './ledger-of.ts';

/** MiB that are missing on each GPU of a candidate before its placement fits; GPUs that lack nothing are left out. */
export function shortages(candidate: Candidate, model: ModelName, snapshot: Snapshot): ReadonlyMap<GpuUuid, number> {
  const ledgers = ledgerOf(snapshot);
  const missing = gpuUuidsOf(candidate).map((uuid) => [uuid, needOn(candidate, uuid) - roomOn(ledgers, uuid, model)] as const);
  return new Map(missing.filter(([, missingMiB]) => missingMiB > 0));
}

/** Whether a placement could start on a candidate as far as memory goes. On a GPU over its budget nothing fits. */
export function fits(candidate: Candidate, model: ModelName, snapshot: Snapshot): boolean {
  if (candidate.discovery && inTheWayOfDiscovery(gpuUuidsOf(candidate), snapshot).length > 0) return false;
  return shortages(candidate, model, snapshot).size === 0;
}

/** On one GPU one endpoint starts at a time; the next start may be owed to an older placement. */
export function hasStartSlots(candidate: Candidate, { snapshot, owedSlots }: World): boolean {
  const uuids = gpuUuidsOf(candidate);
  if (uuids.some((uuid) => owedSlots.has(uuid))) return false;
  return !snapshot.endpoints.some((view) => view.endpoint.state === 'starting' && isOnAny(view, uuids));
}

/**
 * Better candidates first: on one GPU the one that leaves least over, so that big holes stay whole; on several the emptiest ones, and so
 * for a discovery, which leaves nothing over anywhere and may need more than anybody thinks.
 */
export function byBestFit(model: ModelName, snapshot: Snapshot): (a: Candidate, b: Candidate) => number {
  const ledgers = ledgerOf(snapshot);
  const room = (candidate: Candidate): number => total(candidate, (uuid) => roomOn(ledgers, uuid, model));
  const leftOver = (candidate: Candidate): number => room(candidate) - total(candidate, (uuid) => needOn(candidate, uuid));
  return (a, b) => (a.gpus.length > 1 || a.discovery ? room(b) - room(a) : leftOver(a) - leftOver(b)) || byIndex(a, b);
}

export function byIndex(a: Candidate, b: Candidate): number {
  return a.gpus.reduce((difference, gpu, at) => difference || gpu.index - (b.gpus[at]?.index ?? 0), 0);
}

function total(candidate: Candidate, of: (uuid: GpuUuid) => number): number {
  return gpuUuidsOf(candidate).reduce((sum, uuid) => sum + of(uuid), 0);
}

function roomOn(ledgers: ReadonlyMap<GpuUuid, GpuLedger>, uuid: GpuUuid, model: ModelName): number {
  const ledger = ledgers.get(uuid);
  return (ledger === undefined ? null : availableFor(ledger, model)) ?? Number.NEGATIVE_INFINITY;
}
