import { isOperationalError } from '@berth/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSnapshot } from '../steps/decide.ts';
import { findQuarantine } from '../learn/quarantine.ts';
import { buildHostView } from '../snapshot/host-view.ts';
import { readDemand } from '../snapshot/demand.ts';
import type { Observed } from '../snapshot/observe.ts';
import { needsTending } from '../steps/tending.ts';
import type { TermContext } from './term-context.ts';

const EVERY_MS = 1_000;
/** Exits that no notice told of are looked for this often. */
const INSPECT_EVERY_MS = 5_000;

/**
 * Looks at the host about once a second until the term ends, and changes nothing itself: asks for the tending job when there is something to
 * tend, for a placement job where a waiter has none, and publishes the ledger for people.
 */
export async function watchHost(context: TermContext, signal: AbortSignal): Promise<void> {
  let inspectedAtMs = 0;
  const looks = [ensurePlacements, ensureTended, publishView];
  while (!signal.aborted) {
    const nowMs = context.clock.nowMs();
    const isInspectionDue = nowMs - inspectedAtMs >= INSPECT_EVERY_MS;
    if (isInspectionDue) inspectedAtMs = nowMs;
    for (const look of isInspectionDue ? [inspectServing, ...looks] : looks) {
      try {
        if (!signal.aborted) await look(context);
      } catch (error) {
        if (!signal.aborted) context.log[isOperationalError(error) ? 'warn' : 'error']({ err: error }, 'host could not be looked at');
      }
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Nobody waits for a job that is lost, and a wish ends with the job that finds its model ready. */
async function ensurePlacements(context: TermContext): Promise<void> {
  const state = await context.registry.read();
  context.clock.sync(state.nowMs);
  const open = await context.jobs.openModels();
  for (const { model, waiters } of readDemand(state).values()) {
    if (open.has(model)) continue;
    const isServed = state.endpoints.some((endpoint) => endpoint.model === model && endpoint.state === 'ready');
    const isWished = state.wishes.some((wish) => wish.model === model);
    // A wish alone waits for the end of its model's back-off; a waiter gets the cause.
    const backsOff = waiters === 0 && (findQuarantine(state, model)?.untilMs ?? 0) > state.nowMs;
    if (backsOff || (isServed && !isWished)) continue;
    await context.jobs.ensurePlacement(model);
  }
}

async function ensureTended(context: TermContext): Promise<void> {
  if (needsTending(context, await glance(context))) await context.jobs.ensureTending();
}

async function publishView(context: TermContext): Promise<void> {
  const observed = await glance(context);
  const snapshot = buildSnapshot(context, observed, new Map());
  const view = buildHostView(context, observed, snapshot);
  await context.registry.putHostView(context.term, view);
  context.metrics.hostSeen(view, observed.state.endpoints);
}

/** What a look without the runtime and without a new reading tells. */
async function glance(context: TermContext): Promise<Observed> {
  const state = await context.registry.read();
  const processIds = new Map(state.endpoints.map((endpoint) => [endpoint.generation, context.memory.processIdsOf(endpoint)]));
  return { state, demand: readDemand(state), reading: context.gpus.latest, processIds };
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
