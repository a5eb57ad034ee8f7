import { isOperationalError } from '@berth/core';
import { aborted, listenForStop } from '../stop-requests.ts';
import { isStopMessage } from '../up/service-messages.ts';
import type { ServiceMessage, StopMessage } from '../up/service-messages.ts';

/** A running edge or orchestrator. Disposing ends it within its own grace. */
export interface RunningService extends AsyncDisposable {
  readonly url: string;
  /** Rejects when a bug ended it. */
  readonly ended?: Promise<void>;
}

/**
 * Runs one service until a signal, or until the supervisor that started it says so or is gone; a second signal ends the process without waiting. Tells the
 * supervisor when it listens, or why it does not start. `afterwards` runs last, with the supervisor's message if there was one. Returns the exit code.
 */
export async function runService(options: {
  readonly start: () => Promise<RunningService>;
  readonly print: (line: string) => void;
  readonly afterwards?: (message: StopMessage | null) => Promise<void>;
}): Promise<number> {
  using stop = listenForStop(process, Date.now);
  stop.atOnce.addEventListener('abort', () => process.exit(1));
  const told = Promise.withResolvers<StopMessage>();
  process.on('message', (message) => {
    if (isStopMessage(message)) told.resolve(message);
  });
  const message = await serve(options, Promise.race([told.promise, aborted(stop.graceful).then(() => null)]));
  await options.afterwards?.(message);
  return 0;
}

async function serve(
  options: { readonly start: () => Promise<RunningService>; readonly print: (line: string) => void },
  asked: Promise<StopMessage | null>,
): Promise<StopMessage | null> {
  const starting = options.start();
  try {
    await using service = await starting;
    tellSupervisor({ kind: 'ready', url: service.url });
    options.print(`berth: listening at ${service.url}`);
    // A service that ends without a bug and without being asked has nothing left to do either.
    return await Promise.race([asked, ...(service.ended === undefined ? [] : [service.ended.then(() => null)])]);
  } catch (error) {
    if (isOperationalError(error)) tellSupervisor({ kind: 'failed', failure: error.toShape() });
    throw error;
  }
}

function tellSupervisor(message: ServiceMessage): void {
  if (process.connected) process.send?.(message);
}
