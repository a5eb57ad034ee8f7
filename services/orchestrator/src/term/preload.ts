import type { Wish } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import type { TermContext } from './term-context.ts';

/**
 * Wishes for every model that the catalog wants placed at start and that is not there yet: once per process, since a model that became idle
 * or was stopped in between is not to come back with every new term.
 */
export async function preload(context: TermContext): Promise<void> {
  if (context.preloading.done) return;
  const state = await context.registry.read();
  const missing = context.catalog.models.filter(
    (model) => model.preload && !state.endpoints.some((endpoint) => endpoint.model === model.name && endpoint.state !== 'stopping'),
  );
  const wishes = missing.map((model) => preloadWish(model, state.nowMs));
  if (wishes.length > 0) await context.registry.commit(context.term, { putWishes: wishes });
  for (const wish of wishes) await context.jobs.ensurePlacement(wish.model);
  context.preloading.done = true;
}

/** A wish that may cause a start, and displaces nobody but what was preloaded like it. */
export function preloadWish(model: ModelSettings, nowMs: number): Wish {
  const endsAtMs = nowMs + model.loadTimeoutMs;
  return { id: `preload:${model.name}`, model: model.name, right: 'place', kind: 'preload', arrivedAtMs: nowMs, endsAtMs };
}
