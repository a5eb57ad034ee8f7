import { cannotFitAnyLength, contextDoesNotFit } from './failures.ts';

/** Tokens per KV block, vLLM's default on CUDA. */
export const blockTokens = 16;

export interface KvCachePlan {
  maxModelLen: number;
  tokens: number;
  blocks: number;
}

/**
 * What a KV cache of `bytes` per GPU holds, and the context it allows. Throws vLLM's refusal when `maxModelLen` does not fit, unless
 * `auto` lets it shrink.
 */
export function planKvCache(request: { bytes: number; bytesPerToken: number; maxModelLen: number; auto: boolean }): KvCachePlan {
  const { bytes, bytesPerToken, maxModelLen, auto } = request;
  const blocks = Math.floor(bytes / (bytesPerToken * blockTokens));
  const tokens = blocks * blockTokens;
  const availableMiB = bytes / 2 ** 20;
  if (auto) {
    if (tokens === 0) throw cannotFitAnyLength(availableMiB);
    return { maxModelLen: Math.min(maxModelLen, tokens), tokens, blocks };
  }
  const neededBytes = Math.ceil(maxModelLen / blockTokens) * blockTokens * bytesPerToken;
  if (neededBytes > bytes) throw contextDoesNotFit({ maxModelLen, neededMiB: neededBytes / 2 ** 20, availableMiB, longest: tokens });
  return { maxModelLen, tokens, blocks };
}
