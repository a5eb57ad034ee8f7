import { parseLogLines } from './log-line.ts';

/** What an engine's log tells of its memory; per GPU, the largest of its ranks. */
export interface MemoryBreakdown {
  /** MiB by part: `weights`, `kvCache`, `graphs`, `activation`, `consumed` (weights and what is not PyTorch's), `freeAtStart`. */
  readonly partsMiB: Readonly<Record<string, number>>;
  /** Tokens that the KV cache holds; the least of the ranks. */
  readonly kvCacheTokens: number | null;
  /** Longest context that it settled on. */
  readonly maxModelLen: number | null;
}

const NUMBER = String.raw`(-?\d+(?:\.\d+)?)`;

/** vLLM 0.23 to 0.32. The line that begins `Free memory on device` is missing when the KV cache is pinned. */
const PARTS: readonly (readonly [part: string, pattern: RegExp])[] = [
  ['weights', new RegExp(`^Model loading took ${NUMBER} GiB`, 'u')],
  ['kvCache', new RegExp(`^Available KV cache memory: ${NUMBER} GiB`, 'u')],
  ['kvCache', new RegExp(`reserved ${NUMBER} GiB memory for KV Cache as specified`, 'u')],
  ['kvCache', new RegExp(`^Explicitly set \\(${NUMBER}/[\\d.]+\\) GiB for KV cache on node`, 'u')],
  ['graphs', new RegExp(`^Graph capturing finished in .*, took ${NUMBER} GiB`, 'u')],
  ['graphs', new RegExp(`^CUDA graph pool memory: ${NUMBER} GiB \\(actual\\)`, 'u')],
  ['activation', new RegExp(`${NUMBER} GiB for peak activation`, 'u')],
  ['consumed', new RegExp(`${NUMBER} GiB for consumed memory`, 'u')],
  ['freeAtStart', new RegExp(`^Initial free memory ${NUMBER} GiB`, 'u')],
  ['freeAtStart', new RegExp(`^Free memory on device [^(]*\\(${NUMBER}/[\\d.]+ GiB\\) on startup\\. Desired`, 'u')],
];

/** Reads what is told; parts that the log does not name are missing, never zero. A negative size (a graph's, by noise) counts as 0. */
export function parseMemoryBreakdown(lines: readonly string[]): MemoryBreakdown {
  const partsMiB: Record<string, number> = {};
  let kvCacheTokens: number | null = null;
  let maxModelLen: number | null = null;
  for (const { text } of parseLogLines(lines)) {
    for (const [part, pattern] of PARTS) {
      const gib = pattern.exec(text)?.[1];
      if (gib !== undefined) partsMiB[part] = Math.max(partsMiB[part] ?? 0, Math.round(Number(gib) * 1024));
    }
    const tokens = /^\w+ KV cache size: ([\d,]+) tokens/u.exec(text)?.[1];
    if (tokens !== undefined) kvCacheTokens = Math.min(kvCacheTokens ?? Infinity, Number(tokens.replaceAll(',', '')));
    maxModelLen = parseMaxModelLen(text) ?? maxModelLen;
  }
  return { partsMiB, kvCacheTokens, maxModelLen };
}

function parseMaxModelLen(text: string): number | null {
  const length =
    /^Auto-fit max_model_len: (?:reduced from \d+ to|full model context length) (\d+)/u.exec(text)?.[1] ??
    /^Using max model len (\d+)/u.exec(text)?.[1];
  return length === undefined ? null : Number(length);
}
