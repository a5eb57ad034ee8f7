import type { ModelName } from '../ids.ts';
import type { EndpointSnapshot, Snapshot } from '../placement/snapshot.ts';

/**
 * Endpoints to retire for idleness: ready, not pinned, with nothing in flight and no waiter, and unused for their model's idle timeout,
 * counted from the end of the last request. `null`: never.
 */
export function chooseIdle(snapshot: Snapshot, idleTimeoutMs: (model: ModelName) => number | null): readonly EndpointSnapshot[] {
  return snapshot.endpoints.filter((view) => {
    const timeoutMs = idleTimeoutMs(view.endpoint.model);
    return !view.pinned && timeoutMs !== null && isUnusedFor(view, timeoutMs, snapshot.nowMs);
  });
}

/** Ready, nothing in flight, nobody waiting, and the last request (or becoming ready) is at least `durationMs` ago. */
export function isUnusedFor({ endpoint, inFlight, waiters, lastUsedAtMs }: EndpointSnapshot, durationMs: number, nowMs: number): boolean {
  if (endpoint.state !== 'ready' || inFlight > 0 || waiters > 0) return false;
  return nowMs - Math.max(lastUsedAtMs, endpoint.readyAtMs) >= durationMs;
}
