/** Why a benchmark ends early. */
export class Interruption extends Error {}

/**
 * Aborts at the first signal that asks this program to end, when the one that started it is gone, or after `withinMs`. What was started is then
 * removed as at the end of a run, so further signals are not acted upon: a terminal sends Ctrl-C to npm and to its children at once.
 */
export function onInterruption(withinMs: number): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort(new Interruption(signal)));
  process.on('disconnect', () => stop.abort(new Interruption('its parent has ended')));
  process.channel?.unref();
  setTimeout(() => stop.abort(new Interruption(`not done within ${withinMs / 60_000} minutes`)), withinMs).unref();
  return stop.signal;
}
