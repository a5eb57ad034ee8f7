import type { Endpoint } from '../lifecycle/endpoint.ts';
import { byAge } from './age.ts';
import type { EndpointSnapshot, OpenPlacement, PlannerSettings, Snapshot } from './snapshot.ts';

/**
 * Whether an endpoint that became ready still serves those who waited for it: for the larger of the minimum and half of its load time,
 * ended early by a while with nothing in flight and no waiter. The only rule against thrashing; with age order it bounds starvation too.
 */
export function isWithinResidency(view: EndpointSnapshot, settings: PlannerSettings, nowMs: number): boolean {
  const endsAtMs = residencyEndsAtMs(view, settings);
  return endsAtMs !== null && endsAtMs > nowMs;
}

/** When residency ends if nothing changes until then; `null` for an endpoint that has none (not ready). */
export function residencyEndsAtMs(view: EndpointSnapshot, settings: PlannerSettings): number | null {
  const { endpoint } = view;
  if (endpoint.state !== 'ready') return null;
  const latestMs = endpoint.readyAtMs + Math.max(settings.residencyMinimumMs, endpoint.loadMs / 2);
  if (view.inFlight > 0 || view.waiters > 0) return latestMs;
  return Math.min(latestMs, Math.max(endpoint.readyAtMs, view.lastUsedAtMs) + settings.residencyIdleMs);
}

/** Whether a drain of it may begin, or has. An endpoint that starts is first driven to ready; what it holds is charged all the same. */
export function isSettled(view: EndpointSnapshot, settings: PlannerSettings, nowMs: number): boolean {
  return view.endpoint.state !== 'starting' && !isWithinResidency(view, settings, nowMs);
}

/**
 * Whether a placement may have it drained by now: it is settled, and no older placement is about to be served by it. Otherwise two
 * placements could take turns in beginning a drain and calling it off, before anybody was served.
 */
export function isSettledFor(placement: OpenPlacement, view: EndpointSnapshot, { settings, nowMs, placements }: Snapshot): boolean {
  if (!isSettled(view, settings, nowMs)) return false;
  if (view.endpoint.state !== 'ready') return true;
  return !placements.some((open) => open.model === view.endpoint.model && byAge(open, placement) < 0);
}

/** Whether its memory comes back without anybody evicting it: it stops, or drains for another reason than a claim. */
export function isLeaving(endpoint: Endpoint): boolean {
  return endpoint.state === 'stopping' || (endpoint.state === 'draining' && endpoint.reason !== 'evicted');
}
