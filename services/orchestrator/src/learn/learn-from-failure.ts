import type { Endpoint, Footprint, ModelName } from '@berth/core';
import { budgetMiB, withMargin } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import type { EngineFailure, FailureRemedy } from '@berth/vllm';
import { leastOf } from '../snapshot/requirements.ts';
import type { TermContext } from '../term/term-context.ts';
import { nothingLearned } from './footprint-book.ts';
import { footprintKeyOf } from './footprint-key.ts';
import { remeasureNeighbours } from './remeasure.ts';

const MIB = 1024 * 1024;

/** What a remedy needs to know of an endpoint: whether it was still starting or served does not matter. */
type FailedEndpoint = Pick<Endpoint, 'model' | 'generation' | 'signature' | 'imageId' | 'allocations' | 'kvCacheBytes'>;

/**
 * Learns from a cause that carries its remedy. True when the start is worth another try now; each remedy is tried once until the model was
 * ready again. Repeating it after a crash learns nothing twice.
 */
export async function learnFromFailure(
  context: TermContext,
  endpoint: FailedEndpoint,
  model: ModelSettings,
  { remedy }: EngineFailure,
): Promise<boolean> {
  if (remedy === null) return false;
  switch (remedy.kind) {
    case 'raise-kv':
      return (await raiseKvCache(context, endpoint, model, remedy)) && firstTry(context, endpoint.model, remedy.kind);
    case 'retry-after-neighbour':
    case 'wait-for-memory':
    case 'another-port':
      return firstTry(context, endpoint.model, remedy.kind);
    case 'out-of-memory':
      await raiseFootprint(context, endpoint, remedy);
      return firstTry(context, endpoint.model, remedy.kind);
  }
}

/** Whether this remedy was not tried since the model was last ready; from now on it was. */
export function firstTry(context: Pick<TermContext, 'triedRemedies'>, model: ModelName, remedy: string): boolean {
  const tried = context.triedRemedies.get(model) ?? new Set<string>();
  context.triedRemedies.set(model, tried);
  if (tried.has(remedy)) return false;
  tried.add(remedy);
  return true;
}

/**
 * The engine named the KV cache that one full sequence needs. Kept in the learned record, not in the signature, also when it fits no card:
 * then every later placement is refused at once, with the engine's own estimate of the length that the present one serves.
 */
async function raiseKvCache(
  context: TermContext,
  endpoint: FailedEndpoint,
  model: ModelSettings,
  { neededBytes, estimatedMaxModelLen }: Extract<FailureRemedy, { kind: 'raise-kv' }>,
): Promise<boolean> {
  const record = recordOf(context, endpoint);
  if (record === null || endpoint.kvCacheBytes === null || neededBytes <= endpoint.kvCacheBytes) return false;
  const before = Math.max(record.kvCacheBytes ?? 0, endpoint.kvCacheBytes);
  const grownMiB = Math.ceil(Math.max(0, neededBytes - before) / MIB);
  await context.book.put({
    ...record,
    kvCacheBytes: Math.max(neededBytes, before),
    estimatedMaxModelLen,
    vramMiB: record.vramMiB === null ? null : record.vramMiB + grownMiB,
    learnedAtMs: context.clock.nowMs(),
  });
  const leastMiB = Math.max(record.vramMiB === null ? 0 : record.vramMiB + grownMiB, await leastOf(context, model, neededBytes));
  const fits = leastMiB <= largestBudgetMiB(context);
  context.log.info(
    { model: endpoint.model, kvCacheBytes: neededBytes, was: endpoint.kvCacheBytes, leastMiB, fits },
    'kv cache raised to what the engine needs',
  );
  // One that does not fit is tried once more all the same: that placement is refused before anything starts.
  return true;
}

/**
 * An out-of-memory raises the footprint only when the engine wanted more than was held for it. Otherwise somebody else took what was not
 * theirs: the neighbours are measured again, and nothing is learned about the victim.
 */
async function raiseFootprint(
  context: TermContext,
  endpoint: FailedEndpoint,
  oom: Extract<FailureRemedy, { kind: 'out-of-memory' }>,
): Promise<void> {
  const record = recordOf(context, endpoint);
  if (record === null || oom.ownUseMiB === null || oom.triedMiB === null) return;
  const heldMiB = Math.max(0, ...endpoint.allocations.map((allocation) => allocation.vramMiB));
  const neededMiB = withMargin(oom.ownUseMiB + oom.triedMiB);
  if (neededMiB <= heldMiB) {
    const gpuUuids = endpoint.allocations.map((allocation) => allocation.gpuUuid);
    await remeasureNeighbours(context, gpuUuids, 'neighbour-out-of-memory', { except: endpoint.generation });
    return;
  }
  const vramMiB = Math.max(neededMiB, record.vramMiB ?? 0);
  await context.book.put({ ...record, vramMiB, source: 'raised-after-oom', learnedAtMs: context.clock.nowMs() });
  context.log.warn({ model: endpoint.model, heldMiB, neededMiB }, 'footprint raised after out of memory');
}

function recordOf(context: TermContext, endpoint: FailedEndpoint): Footprint | null {
  const key = context.gpus.latest === null ? null : footprintKeyOf(endpoint, context.gpus.latest);
  if (key === null) return null;
  return context.book.find(key) ?? nothingLearned(key);
}

function largestBudgetMiB(context: TermContext): number {
  const { budgetFraction, reserveMiB } = context.catalog.host;
  const budgets = (context.gpus.latest?.gpus ?? []).map((gpu) => budgetMiB(gpu, { budgetFraction, reserveMiB }) ?? 0);
  return Math.max(0, ...budgets);
}
