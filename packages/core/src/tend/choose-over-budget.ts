import type { GpuUuid } from '../ids.ts';
import { buildLedger, type GpuLedger } from '../memory/ledger.ts';
import { isLeaving } from '../placement/residency.ts';
import { rankVictims } from '../placement/rank-victims.ts';
import { freedMiB, selectVictims } from '../placement/select-victims.ts';
import type { EndpointSnapshot, Snapshot } from '../placement/snapshot.ts';

/**
 * Idle endpoints to evict because endpoints and foreign memory together exceed a GPU's budget: by the order of eviction, as many as bring
 * it back, or all that are idle if they do not suffice. Not pinned ones, and none for memory that is coming back anyway. While an endpoint
 * stops on a GPU nothing is chosen there: what it gives back may be seen twice for a moment.
 */
export function chooseOverBudget(snapshot: Snapshot): readonly EndpointSnapshot[] {
  const missingMiB = new Map([...buildLedger(snapshot).values()].map((ledger) => [ledger.gpuUuid, excessMiB(ledger, snapshot)] as const));
  const over = new Map([...missingMiB].filter(([, missing]) => missing > 0));
  if (over.size === 0) return [];
  const ranked = rankVictims(
    snapshot.endpoints.filter((view) => mayGo(view, over)),
    snapshot,
  );
  return selectVictims(ranked, over) ?? ranked;
}

/** Claims are no memory in use: one that cannot be met any more is withdrawn by its own placement. */
function excessMiB({ gpuUuid, budgetMiB, chargedMiB, foreignMiB, stoppingMiB }: GpuLedger, { endpoints }: Snapshot): number {
  if (foreignMiB === null || stoppingMiB > 0) return 0;
  const leaving = endpoints.filter(({ endpoint }) => isLeaving(endpoint));
  return chargedMiB + foreignMiB - budgetMiB - freedMiB(leaving, gpuUuid);
}

function mayGo({ endpoint, pinned, inFlight, waiters }: EndpointSnapshot, over: ReadonlyMap<GpuUuid, number>): boolean {
  if (endpoint.state !== 'ready' || pinned || inFlight > 0 || waiters > 0) return false;
  return endpoint.allocations.some(({ gpuUuid, vramMiB }) => over.has(gpuUuid) && vramMiB > 0);
}
