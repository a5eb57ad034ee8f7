import { setTimeout as sleep } from 'node:timers/promises';

/** The words for phases and states that a cold start passes, in order; those that a start does not need are skipped. */
const ORDER = [
  'cold',
  'queued',
  'placing',
  'pulling',
  'draining',
  'starting',
  'created',
  'importing',
  'downloading',
  'weights',
  'compiling',
  'profiling',
  'kv-cache',
  'graphs',
  'warming-up',
  'listening',
  'probing',
  'ready',
];

/** Positions in the order of a cold start; -1 for an unknown word. */
export function places(phases: readonly string[]): readonly number[] {
  return phases.map((phase) => ORDER.indexOf(phase));
}

/** The phases that the comments of a stream told, each once. */
export function heartbeatPhases(text: string): readonly string[] {
  const told = [...text.matchAll(/^: berth .*phase=(\S+)/gmu)].map((match) => match[1] ?? '');
  return told.filter((phase, index) => phase !== told[index - 1]);
}

/** Asks `GET /v1/models/{id}` until the model is ready, and tells each state that it saw, with the time until then. */
export async function watchModel(url: string, model: string, done: AbortSignal): Promise<readonly { state: string; afterMs: number }[]> {
  const beganAtMs = performance.now();
  const seen: { state: string; afterMs: number }[] = [];
  while (!done.aborted) {
    const { berth } = (await (await fetch(`${url}/v1/models/${model}`)).json()) as { berth: { state: string } };
    if (berth.state !== seen.at(-1)?.state) seen.push({ state: berth.state, afterMs: Math.round(performance.now() - beganAtMs) });
    if (berth.state === 'ready') break;
    await sleep(500);
  }
  return seen;
}
