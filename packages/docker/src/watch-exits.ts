import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineHandle } from '@berth/core';
import { asId } from '@berth/core';
import type { DockerClient } from './docker-client.ts';
import type { Owner } from './labels.ts';
import { engineFilter } from './labels.ts';
import { readLines } from './read-lines.ts';

export interface ExitWatchOptions {
  readonly client: DockerClient;
  readonly owner: Owner;
  /** Handles of all engines that have exited. */
  readonly listExited: () => Promise<readonly EngineHandle[]>;
  readonly onExit: (handle: EngineHandle) => void;
  /** After a connection that broke; default 1000. */
  readonly reconnectMs?: number;
}

/**
 * Follows Docker's events. Whenever the connection was cut, engines that ended meanwhile are looked up as soon as it stands again; each
 * engine is told once. Rejects when the Docker engine cannot be reached now; later it keeps trying until it is disposed of.
 */
export async function watchExits(options: ExitWatchOptions): Promise<AsyncDisposable> {
  const { onExit, listExited, reconnectMs = 1000 } = options;
  const told = new Set<EngineHandle>();
  const closing = new AbortController();
  const tell = (handle: EngineHandle): void => {
    if (closing.signal.aborted || told.has(handle)) return;
    told.add(handle);
    onExit(handle);
  };
  const stopped = (): boolean => closing.signal.aborted;

  let events = await openEvents(options, closing.signal);
  for (const handle of await listExited()) told.add(handle); // these ended before the watch began
  const follow = async (): Promise<void> => {
    for (;;) {
      try {
        for await (const line of readLines(events)) tell(readHandle(line));
      } catch {
        // the connection broke, or the watch was closed
      }
      for (;;) {
        if (stopped()) return;
        try {
          await sleep(reconnectMs, undefined, { signal: closing.signal, ref: false });
          events = await openEvents(options, closing.signal);
          for (const handle of await listExited()) tell(handle);
          break;
        } catch {
          // not yet there
        }
      }
    }
  };
  const following = follow();
  return {
    async [Symbol.asyncDispose]() {
      closing.abort();
      await following;
    },
  };
}

/** The deadline of the call is for the answer's head; from then on the stream lives until it is aborted. */
function openEvents({ client, owner }: ExitWatchOptions, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
  const filters = { type: ['container' as const], event: ['die'], label: engineFilter(owner) };
  return client.call('send its events', () => client.docker.getEvents({ filters, abortSignal: signal }));
}

/** The name in a `die` event. */
function readHandle(line: string): EngineHandle {
  const event = JSON.parse(line) as { readonly Actor?: { readonly Attributes?: { readonly name?: string } } };
  return asId(event.Actor?.Attributes?.name ?? '');
}
