import { isOperationalError } from '@berth/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSnapshot } from '../steps/decide.ts';
import { buildHostView } from '../snapshot/host-view.ts';
import { readDemand } from '../snapshot/demand.ts';
import { needsTending } from '../steps/tending.ts';
import type { TermContext } from './term-context.ts';

const EVERY_MS = 1_000;
/** Exits that no notice told of are looked for this often. */
const INSPECT_EVERY_MS = 5_000;

/**
 * Looks at the host about once a second until the term ends, and changes nothing itself: asks for the tending job when there is something to
 * tend, for a placement job where a waiter has none, and publishes the ledger for people.
 */
export async function watchHost(context: TermContext): Promise<void> {
  let inspectedAtMs = 0;
  while (!context.term.signal.aborted) {
    try {
      const nowMs = context.clock.nowMs();
      if (nowMs - inspectedAtMs >= INSPECT_EVERY_MS) {
        inspectedAtMs = nowMs;
        await inspectServing(context);
      }
      await watchOnce(context);
    } catch (error) {
      if (!isOperationalError(error)) throw error;
      if (!context.term.signal.aborted) context.log.warn({ err: error }, 'host could not be looked at');
    }
    await sleep(EVERY_MS, undefined, { signal: context.term.signal }).catch(() => undefined);
  }
}

async function watchOnce(context: TermContext): Promise<void> {
  const state = await context.registry.read();
  context.clock.sync(state.nowMs);
  const demand = readDemand(state);
  const open = await context.jobs.openModels();
  for (const model of demand.keys()) {
    const served = state.endpoints.some((endpoint) => endpoint.model === model && endpoint.state === 'ready');
    if (!served && !open.has(model)) await context.jobs.ensurePlacement(model);
  }
  const observed = {
    state,
    demand,
    reading: context.gpus.latest,
    processIds: new Map(state.endpoints.map((endpoint) => [endpoint.generation, endpoint.state === 'starting' ? [] : endpoint.processIds])),
  };
  if (needsTending(context, observed)) await context.jobs.ensureTending();
  const snapshot = buildSnapshot(context, observed, new Map());
  await context.registry.putHostView(context.term, buildHostView(context, observed, snapshot));
}

/** An engine whose exit nobody reported is found here; the tending job then looks at it. */
async function inspectServing(context: TermContext): Promise<void> {
  const { endpoints } = await context.registry.read();
  for (const endpoint of endpoints) {
    if (endpoint.handle === null || (endpoint.state !== 'ready' && endpoint.state !== 'draining')) continue;
    const status = await context.runtime.inspectEngine(endpoint.handle);
    if (status === null || status.state === 'exited') context.exits.add(endpoint.handle);
  }
}
