import type { EndpointSnapshot, Generation, ModelName, RetireReason, StopRequest } from '@berth/core';
import { chooseIdle, chooseOverBudget, chooseSuperseded } from '@berth/core';
import { QUARANTINE_REMEMBERED_MS } from '../learn/quarantine.ts';
import type { Observed } from '../snapshot/observe.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { buildSnapshot } from './decide.ts';

/** Footprints are measured again this often while there is traffic. */
const REMEASURE_EVERY_MS = 60_000;
/** Engines that nobody knows are looked for this often. */
export const ORPHANS_EVERY_MS = 30_000;

/** One thing that no placement takes care of. */
export type Chore =
  | { readonly kind: 'drain'; readonly generation: Generation; readonly reason: RetireReason }
  | { readonly kind: 'call-off-drain'; readonly generation: Generation }
  | { readonly kind: 'withdraw-claim'; readonly model: ModelName }
  | { readonly kind: 'stop-request'; readonly request: StopRequest }
  | { readonly kind: 'forget-quarantine'; readonly model: ModelName }
  | { readonly kind: 'remeasure' };

/** Everything to tend, by what was observed. Changes nothing. */
export function chores(context: TermContext, observed: Observed): readonly Chore[] {
  const snapshot = buildSnapshot(context, observed, new Map());
  const drain =
    (reason: RetireReason) =>
    ({ endpoint }: Pick<EndpointSnapshot, 'endpoint'>): Chore => ({ kind: 'drain', generation: endpoint.generation, reason });
  const { nowMs } = observed.state;
  const { idleMs } = context.catalog.protocol.residency;
  return [
    ...(observed.state.stopRequests ?? []).map((request): Chore => ({ kind: 'stop-request', request })),
    ...abandonedClaims(observed),
    ...chooseIdle(snapshot, (model) => settingsOf(context, model)?.idleTimeoutMs ?? null).map(drain('idle')),
    ...chooseSuperseded(snapshot, idleMs).map(drain('superseded')),
    ...outlived(snapshot.endpoints).map(drain('superseded')),
    ...chooseOverBudget(snapshot).map(drain('overBudget')),
    ...observed.state.quarantines
      .filter((quarantine) => nowMs - quarantine.untilMs > QUARANTINE_REMEMBERED_MS)
      .map((quarantine): Chore => ({ kind: 'forget-quarantine', model: quarantine.model })),
    ...(isRemeasureDue(context, observed) ? [{ kind: 'remeasure' } as const] : []),
  ];
}

/** A claim without anybody who asks for it, and a drain without its claim, end here when their job is gone. */
function abandonedClaims({ state, demand }: Observed): readonly Chore[] {
  const withdrawn = state.claims
    .filter((claim) => !demand.has(claim.model))
    .map((claim): Chore => ({ kind: 'withdraw-claim', model: claim.model }));
  const unclaimed = state.endpoints.filter(
    (endpoint) =>
      endpoint.state === 'draining' && endpoint.reason === 'evicted' && !state.claims.some((claim) => claim.model === endpoint.claimedBy),
  );
  return [...withdrawn, ...unclaimed.map(({ generation }): Chore => ({ kind: 'call-off-drain', generation }))];
}

/** Ready endpoints of which the same model has a younger one: both were found after a loss of data. No edge takes new leases on the older. */
function outlived(views: readonly EndpointSnapshot[]): readonly EndpointSnapshot[] {
  const ready = views.filter(({ endpoint }) => endpoint.state === 'ready');
  return ready.filter(({ endpoint }) =>
    ready.some(({ endpoint: other }) => other.model === endpoint.model && Number(other.generation) > Number(endpoint.generation)),
  );
}

function isRemeasureDue({ gpus, lastDone }: TermContext, { state }: Observed): boolean {
  const sinceMs = lastDone.remeasuredAtMs;
  if (!gpus.available || state.nowMs - sinceMs < REMEASURE_EVERY_MS) return false;
  return state.endpoints.some(
    (endpoint) =>
      endpoint.state === 'ready' && endpoint.allocations.length > 0 && (state.lastUsedAtMs.get(endpoint.generation) ?? 0) > sinceMs,
  );
}

/** Whether the tending job has anything to do. */
export function needsTending(context: TermContext, observed: Observed): boolean {
  const orphansDue = observed.state.nowMs - context.lastDone.orphansSoughtAtMs >= ORPHANS_EVERY_MS;
  return orphansDue || context.exits.size > 0 || isMoving(observed) || chores(context, observed).length > 0;
}

/** Whether any endpoint is between two steady states. */
export function isMoving({ state }: Observed): boolean {
  return state.endpoints.some((endpoint) => endpoint.state !== 'ready');
}
