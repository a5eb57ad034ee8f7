import type { Wish } from '@berth/core';
import type { TermContext } from './term-context.ts';

/** Wishes for every model that the catalog wants placed at start and that is not there yet. */
export async function preload(context: TermContext): Promise<void> {
  const state = await context.registry.read();
  const missing = context.catalog.models.filter(
    (model) => model.preload && !state.endpoints.some((endpoint) => endpoint.model === model.name && endpoint.state !== 'stopping'),
  );
  const wishes = missing.map((model): Wish => ({
    id: `preload:${model.name}`,
    model: model.name,
    right: 'place',
    kind: 'preload',
    arrivedAtMs: state.nowMs,
    endsAtMs: state.nowMs + model.loadTimeoutMs,
  }));
  if (wishes.length === 0) return;
  await context.registry.commit(context.term, { putWishes: wishes });
  for (const wish of wishes) await context.jobs.ensurePlacement(wish.model);
}
