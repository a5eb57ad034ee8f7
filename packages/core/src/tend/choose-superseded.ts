import type { EndpointSnapshot, Snapshot } from '../placement/snapshot.ts';
import { isUnusedFor } from './choose-idle.ts';

/**
 * Endpoints to replace: their launch signature is not the catalog's any more, or their model is gone from it, and nothing was in flight
 * on them for `idleMs`. Pinned ones too: what is pinned is the model, not its old settings.
 */
export function chooseSuperseded(snapshot: Snapshot, idleMs: number): readonly EndpointSnapshot[] {
  return snapshot.endpoints.filter((view) => !view.current && isUnusedFor(view, idleMs, snapshot.nowMs));
}
