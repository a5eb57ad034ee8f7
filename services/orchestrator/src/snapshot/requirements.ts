import type { ModelName, Requirement } from '@berth/core';
import { isOperationalError } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import { leastMemoryMiB, pinnedKvCacheBytes } from '@berth/vllm';
import { versionOf } from '../launch/engine-spec.ts';
import { readWeights } from '../launch/weights-on-disk.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { vramByProduct } from './observe.ts';

/**
 * What each of these models needs on this host. A model whose image is not here yet, that left the catalog, or whose program is missing has
 * none: that is for its own placement to tell, and the others go on. Throws `DOCKER_UNAVAILABLE`.
 */
export async function readRequirements(context: TermContext, models: Iterable<ModelName>): Promise<ReadonlyMap<ModelName, Requirement>> {
  const requirements = new Map<ModelName, Requirement>();
  for (const name of models) {
    const model = settingsOf(context, name);
    const requirement = model === undefined ? null : await requirementOf(context, model);
    if (requirement !== null) requirements.set(name, requirement);
  }
  return requirements;
}

async function imageIdOf(context: TermContext, model: ModelSettings): Promise<string | null> {
  try {
    return await context.images.resolve(model);
  } catch (error) {
    if (!isOperationalError(error, 'IMAGE_MISSING')) throw error;
    return null;
  }
}

async function requirementOf(context: TermContext, model: ModelSettings): Promise<Requirement | null> {
  if (model.gpus === 0) return { kind: 'cpu' };
  const imageId = await imageIdOf(context, model);
  const signature = context.signatures.get(model.name);
  if (imageId === null || signature === undefined) return null;
  const footprints = context.book.ofLaunch({ model: model.name, signature, imageId, gpuCount: model.gpus });
  const vramMiBByProduct = vramByProduct(footprints);
  // What lies on disk only matters while nothing was measured.
  const atLeastMiB = vramMiBByProduct.size > 0 ? 0 : await leastOf(context, model, pinnedKvBytes(model, footprints));
  return { kind: 'gpu', gpuCount: model.gpus, vramMiBByProduct, atLeastMiB };
}

/** KV cache per GPU to start with: the catalog's, or what the engine once said it needs, whichever is more. */
export function pinnedKvBytes(model: ModelSettings, footprints: readonly { readonly kvCacheBytes: number | null }[]): number | null {
  if (model.engine !== 'vllm' || model.kvCacheBytes === null) return null;
  const kvCacheBytes = Math.max(model.kvCacheBytes, ...footprints.map((footprint) => footprint.kvCacheBytes ?? 0));
  return pinnedKvCacheBytes({ args: model.args, kvCacheBytes, version: versionOf(model) });
}

/** MiB per GPU that a model is known to need at the very least: weights that lie on this machine, KV cache, the catalog's hint. */
export async function leastOf(context: TermContext, model: ModelSettings, kvCacheBytes: number | null): Promise<number> {
  const weights = await readWeights(context.catalog, model, context.huggingfaceHome);
  const { gpus: gpuCount, args } = model;
  const leastMiB = leastMemoryMiB({
    weightsBytes: weights?.bytes ?? null,
    weightsType: weights?.type ?? null,
    kvCacheBytes,
    gpuCount,
    args,
  });
  return Math.max(leastMiB, model.memoryAtLeastMiB ?? 0);
}
