/**
 * Where a cold start is, in the words that clients read in heartbeats and in `GET /v1/models/{id}`, in the order in which a start passes
 * them. What it does not need it skips.
 */
export const COLD_START_PHASES = [
  /** Waits for its turn, for a start slot, for others to finish. */
  'queued',
  /** The image is fetched. */
  'pulling',
  /** Others make room: they end what they are doing and stop. */
  'draining',
  /** Its container is made, its memory seen free, its engine started. */
  'starting',
  'downloading',
  'weights',
  'compiling',
  'graphs',
  /** Its server comes up and is asked for one real answer. */
  'probing',
] as const;
export type ColdStartPhase = (typeof COLD_START_PHASES)[number];

/**
 * The one table from the phases of a load (`LOAD_PHASES` of the engine knowledge, and the proof) to those words. Compilation is part of the
 * profiling run on a GPU, and follows the KV cache on the CPU (vLLM 0.32.0), so both count as compiling.
 */
const OF_LOAD: ReadonlyMap<string, ColdStartPhase> = new Map([
  ['created', 'starting'],
  ['importing', 'starting'],
  ['downloading', 'downloading'],
  ['weights', 'weights'],
  ['compiling', 'compiling'],
  ['profiling', 'compiling'],
  ['kv-cache', 'compiling'],
  ['graphs', 'graphs'],
  ['warming-up', 'probing'],
  ['listening', 'probing'],
  ['probing', 'probing'],
]);

/** `undefined` for a phase that no engine knowledge of this version tells. */
export function coldStartPhaseOf(loadPhase: string): ColdStartPhase | undefined {
  return OF_LOAD.get(loadPhase);
}
