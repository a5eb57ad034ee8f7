import type { Footprint, StartingEndpoint } from '@berth/core';
import { allocatedOn, withMargin } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import { leastMemoryMiB, type EngineFailure } from '@berth/vllm';
import type { TermContext } from '../term/term-context.ts';
import { footprintKeyOf } from './publish-ready.ts';
import { remeasureNeighbours } from './remeasure.ts';

const MIB = 1024 * 1024;

/**
 * Learns from a cause that carries its remedy. True when the start is worth another try now; each remedy is tried once until the model was
 * ready again.
 */
export async function learnFromFailure(
  context: TermContext,
  endpoint: StartingEndpoint,
  model: ModelSettings,
  cause: EngineFailure,
): Promise<boolean> {
  const { remedy } = cause;
  if (remedy === null) return false;
  switch (remedy.kind) {
    case 'raise-kv':
      return (await raiseKvCache(context, endpoint, model, remedy.neededBytes)) && firstTry(context, endpoint, `kv ${remedy.neededBytes}`);
    case 'retry-after-neighbour':
    case 'wait-for-memory':
    case 'another-port':
      return firstTry(context, endpoint, remedy.kind);
    case 'out-of-memory':
      return (await raiseFootprint(context, endpoint, remedy)) && firstTry(context, endpoint, remedy.kind);
  }
}

function firstTry(context: TermContext, endpoint: StartingEndpoint, remedy: string): boolean {
  const tried = context.triedRemedies.get(endpoint.model) ?? new Set<string>();
  context.triedRemedies.set(endpoint.model, tried);
  if (tried.has(remedy)) return false;
  tried.add(remedy);
  return true;
}

/** The engine named the KV cache that one full sequence needs. Kept in the learned record, not in the signature. */
async function raiseKvCache(context: TermContext, endpoint: StartingEndpoint, model: ModelSettings, neededBytes: number): Promise<boolean> {
  const record = recordOf(context, endpoint);
  if (record === null || endpoint.kvCacheBytes === null || neededBytes <= endpoint.kvCacheBytes) return false;
  const budgetMiB = largestBudgetMiB(context);
  if (
    leastMemoryMiB({ weightsBytes: null, weightsType: null, kvCacheBytes: neededBytes, gpuCount: model.gpus, args: model.args }) > budgetMiB
  )
    return false;
  const grownMiB = Math.ceil((neededBytes - endpoint.kvCacheBytes) / MIB);
  await context.book.put({
    ...record,
    kvCacheBytes: neededBytes,
    vramMiB: record.vramMiB === null ? null : record.vramMiB + grownMiB,
    learnedAtMs: context.clock.nowMs(),
  });
  context.log.info(
    { model: endpoint.model, kvCacheBytes: neededBytes, was: endpoint.kvCacheBytes },
    'kv cache raised to what the engine needs',
  );
  return true;
}

/**
 * An out-of-memory raises the footprint only when the engine wanted more than was held for it. Otherwise somebody else took what was not
 * theirs: the neighbours are measured again, and nothing is learned about the victim.
 */
async function raiseFootprint(
  context: TermContext,
  endpoint: StartingEndpoint,
  oom: { readonly ownUseMiB: number | null; readonly triedMiB: number | null },
): Promise<boolean> {
  const record = recordOf(context, endpoint);
  const gpuUuids = endpoint.allocations.map((allocation) => allocation.gpuUuid);
  const heldMiB = Math.max(0, ...gpuUuids.map((gpuUuid) => allocatedOn(endpoint.allocations, gpuUuid)));
  if (record === null || oom.ownUseMiB === null || oom.triedMiB === null) return true;
  const neededMiB = withMargin(oom.ownUseMiB + oom.triedMiB);
  if (neededMiB <= heldMiB) {
    await remeasureNeighbours(context, gpuUuids, 'neighbour-out-of-memory');
    return true;
  }
  await context.book.put({ ...record, vramMiB: neededMiB, source: 'raised-after-oom', learnedAtMs: context.clock.nowMs() });
  context.log.warn({ model: endpoint.model, heldMiB, neededMiB }, 'footprint raised after out of memory');
  return true;
}

function recordOf(context: TermContext, endpoint: StartingEndpoint): Footprint | null {
  const key = context.gpus.latest === null ? null : footprintKeyOf(endpoint, context.gpus.latest);
  if (key === null) return null;
  const fresh = {
    ...key,
    vramMiB: null,
    source: 'discovered',
    samples: [],
    loads: [],
    kvCacheBytes: null,
    breakdownMiB: {},
    learnedAtMs: 0,
  } as const;
  return context.book.find(key) ?? fresh;
}

function largestBudgetMiB(context: TermContext): number {
  const { budgetFraction, reserveMiB } = context.catalog.host;
  const budgets = (context.gpus.latest?.gpus ?? []).map(
    (gpu) => ((gpu.totalMiB ?? 0) - (gpu.driverReservedMiB ?? 0)) * budgetFraction - reserveMiB,
  );
  return Math.max(0, ...budgets);
}
