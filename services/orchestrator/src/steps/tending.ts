import type { Endpoint, EndpointSnapshot, ModelName, RetireReason, StopRequest } from '@berth/core';
import { chooseIdle, chooseOverBudget, chooseSuperseded } from '@berth/core';
import { QUARANTINE_REMEMBERED_MS } from '../learn/quarantine.ts';
import type { Observed } from '../snapshot/observe.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { buildSnapshot } from './decide.ts';

/** Footprints are measured again this long after the last reading, if there was traffic since. */
const REMEASURE_AFTER_MS = 60_000;

/** One thing that no placement takes care of. */
export type Chore =
  | { readonly kind: 'drain'; readonly endpoint: Endpoint; readonly reason: RetireReason }
  | { readonly kind: 'call-off-drain'; readonly endpoint: Endpoint }
  | { readonly kind: 'withdraw-claim'; readonly model: ModelName }
  | { readonly kind: 'stop-request'; readonly request: StopRequest }
  | { readonly kind: 'forget-quarantine'; readonly model: ModelName }
  | { readonly kind: 'remeasure' };

/** Everything to tend, by what was observed. Changes nothing. */
export function chores(context: TermContext, observed: Observed): readonly Chore[] {
  const snapshot = buildSnapshot(context, observed, new Map());
  const drain =
    (reason: RetireReason) =>
    (view: EndpointSnapshot): Chore => ({ kind: 'drain', endpoint: view.endpoint, reason });
  const { nowMs } = observed.state;
  const { idleMs } = context.catalog.protocol.residency;
  return [
    ...(observed.state.stopRequests ?? []).map((request): Chore => ({ kind: 'stop-request', request })),
    ...abandonedClaims(observed),
    ...chooseIdle(snapshot, (model) => settingsOf(context, model)?.idleTimeoutMs ?? null).map(drain('idle')),
    ...chooseSuperseded(snapshot, idleMs).map(drain('superseded')),
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
      endpoint.state === 'draining' && endpoint.claimedBy !== null && !state.claims.some((claim) => claim.model === endpoint.claimedBy),
  );
  return [...withdrawn, ...unclaimed.map((endpoint): Chore => ({ kind: 'call-off-drain', endpoint }))];
}

function isRemeasureDue(context: TermContext, { state }: Observed): boolean {
  const latest = context.gpus.latest;
  if (latest === null || state.nowMs - latest.atMs < REMEASURE_AFTER_MS) return false;
  return state.endpoints.some(
    (endpoint) =>
      endpoint.state === 'ready' && endpoint.allocations.length > 0 && (state.lastUsedAtMs.get(endpoint.generation) ?? 0) > latest.atMs,
  );
}

/** Whether the tending job has anything to do. */
export function needsTending(context: TermContext, observed: Observed): boolean {
  return context.exits.size > 0 || isMoving(observed) || chores(context, observed).length > 0;
}

/** Whether any endpoint is between two steady states. */
export function isMoving({ state }: Observed): boolean {
  return state.endpoints.some((endpoint) => endpoint.state !== 'ready');
}
