import type { IncomingMessage } from 'node:http';

/** How long the rest of a body that nobody wants may take, and how much of it. */
const LONGEST_MS = 10_000;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Reads on, and throws away, what a client still sends of a body when its answer is complete: a connection that is closed with bytes unread
 * is reset, and the reset can overtake the answer. The connection is cut when the rest is too long or too slow.
 */
export function lingerOver(incoming: IncomingMessage): void {
  if (incoming.complete || incoming.destroyed) return;
  const cut = setTimeout(() => incoming.destroy(), LONGEST_MS);
  let bytes = 0;
  incoming.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MOST_BYTES) incoming.destroy();
  });
  incoming.on('error', () => undefined);
  incoming.once('close', () => clearTimeout(cut));
  incoming.resume();
}
