import type { Redis } from 'ioredis';
import { closeConnection } from '../connection/open-connection.ts';

/**
 * Closes BullMQ objects and then the connections they were given. Their `close` first stops what they repeat, at once; waiting for it is
 * bounded, since it never resolves for one that never was connected (6.7.0, seen).
 */
export async function closeQueue(parts: readonly { close(): Promise<void> }[], connections: readonly Redis[]): Promise<void> {
  const closing = parts.map((part) => part.close().catch(() => undefined));
  for (const connection of connections) closeConnection(connection);
  await atMost(500, Promise.all(closing));
}

/** Resolves with the promise or after `timeoutMs`. */
export async function atMost(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
