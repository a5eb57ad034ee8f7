/** What a user's signals ask for. */
export interface StopRequests extends Disposable {
  /** Aborts on the first SIGINT, SIGTERM or SIGHUP, and when the process that started this one is gone. */
  readonly graceful: AbortSignal;
  /** Aborts on a further signal at least a second later. */
  readonly atOnce: AbortSignal;
}

/**
 * A terminal signals the whole process group, and npm and the script that started this process pass on what they get as well, so one Ctrl-C arrives up to
 * three times. Signals within a second of the first are therefore the same one.
 */
export const sameSignalMs = 1000;

/** Takes over the signals of this process until it is disposed of. `source` is `process`, `nowMs` its clock. */
export function listenForStop(source: Pick<NodeJS.EventEmitter, 'on' | 'off'>, nowMs: () => number): StopRequests {
  const graceful = new AbortController();
  const atOnce = new AbortController();
  let firstAtMs = 0;
  const take = (): void => {
    if (!graceful.signal.aborted) {
      firstAtMs = nowMs();
      graceful.abort();
    } else if (nowMs() - firstAtMs >= sameSignalMs) {
      atOnce.abort();
    }
  };
  const parentGone = (): void => {
    if (!graceful.signal.aborted) take();
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const name of names) source.on(name, take);
  source.on('disconnect', parentGone);
  return {
    graceful: graceful.signal,
    atOnce: atOnce.signal,
    [Symbol.dispose]: () => {
      for (const name of names) source.off(name, take);
      source.off('disconnect', parentGone);
    },
  };
}

/** Resolves when the signal aborts; at once if it has. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
