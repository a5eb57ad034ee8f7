const SHORTEST_MS = 1000;
const LONGEST_MS = 120_000;
/** Where no time was learned. */
const UNKNOWN_MS = 30_000;

/** When a client is to ask again for a model that needs so long to become ready, in ms; `null`: not known. */
export function retryAfterOf(etaMs: number | null): number {
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, etaMs ?? UNKNOWN_MS));
}
