import type { EdgeSession, ModelName, RequestSlot } from '@berth/core';

/** A request counted in flight on a ready endpoint of the model, asking for a lease first where this edge has none; `null`: none is ready. Throws `REDIS_UNAVAILABLE`. */
export async function beginOrAcquire(session: EdgeSession, model: ModelName): Promise<RequestSlot | null> {
  return session.begin(model) ?? ((await session.acquire(model)).kind === 'ready' ? session.begin(model) : null);
}
