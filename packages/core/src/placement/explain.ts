import { availableFor } from '../memory/ledger.ts';
import type { ModelName } from '../ids.ts';
import { type Candidate, needOn } from './candidate.ts';
import type { Reason, ReasonCode } from './plan.ts';
import { isSettled } from './residency.ts';
import type { EndpointSnapshot, Snapshot } from './snapshot.ts';
import { ledgerOf } from './ledger-of.ts';

/** The arithmetic of a fit, one reason per GPU: `fits`, `does-not-fit`, or `over-budget` where nothing starts at all. */
export function explainFit(candidate: Candidate, model: ModelName, snapshot: Snapshot): readonly Reason[] {
  const ledgers = ledgerOf(snapshot);
  return candidate.gpus.map((gpu) => {
    const ledger = ledgers.get(gpu.uuid);
    const needMiB = needOn(candidate, gpu.uuid);
    const availableMiB = ledger === undefined ? null : availableFor(ledger, model);
    if (ledger === undefined || availableMiB === null) return { code: 'waiting-for-readings', gpuUuid: gpu.uuid, numbers: { needMiB } };
    return {
      code: ledger.overcommittedMiB > 0 ? 'over-budget' : availableMiB >= needMiB ? 'fits' : 'does-not-fit',
      gpuUuid: gpu.uuid,
      numbers: {
        needMiB,
        availableMiB,
        budgetMiB: ledger.budgetMiB,
        foreignMiB: ledger.foreignMiB ?? 0,
        chargedMiB: ledger.chargedMiB,
        claimExcessMiB: ledger.claimExcessMiB,
        overcommittedMiB: ledger.overcommittedMiB,
      },
    };
  });
}

/** That a footprint is unknown, and what its discovery takes instead. */
export function explainDiscovery(candidate: Candidate): readonly Reason[] {
  if (!candidate.discovery) return [];
  return candidate.gpus.map((gpu) => ({
    code: 'footprint-unknown',
    gpuUuid: gpu.uuid,
    numbers: { remainderMiB: needOn(candidate, gpu.uuid), atLeastMiB: candidate.leastMiB },
  }));
}

/** Why this endpoint: its place in the order of eviction, in numbers. */
export function explainVictim(view: EndpointSnapshot, { nowMs, settings }: Snapshot): Reason {
  const { endpoint } = view;
  return {
    code: 'victim-chosen',
    model: endpoint.model,
    generation: endpoint.generation,
    numbers: {
      vramMiB: endpoint.allocations.reduce((total, allocation) => total + allocation.vramMiB, 0),
      idleForMs: Math.max(0, nowMs - view.lastUsedAtMs),
      inFlight: view.inFlight,
      settled: Number(isSettled(view, settings, nowMs)),
    },
  };
}

export function reasonAbout(code: ReasonCode, view: EndpointSnapshot, numbers?: Readonly<Record<string, number>>): Reason {
  const { model, generation } = view.endpoint;
  return numbers === undefined ? { code, model, generation } : { code, model, generation, numbers };
}
