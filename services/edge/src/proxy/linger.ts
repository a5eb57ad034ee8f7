import type { IncomingMessage } from 'node:http';

/** How long the rest of a body that nobody wants may take, and how much of it. */
const LONGEST_MS = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads on, and throws away, what is left of a body when its answer is complete: with bytes unread, the client's next request in the same
 * connection would never be reached, and a connection that is closed so is reset, which can overtake the answer. The connection is cut when
 * the rest is too long or too slow.
 */
export function lingerOver(incoming: IncomingMessage): void {
  if (incoming.readableEnded || incoming.destroyed) return;
  const cut = setTimeout(() => incoming.destroy(), LONGEST_MS);
  let bytes = 0;
  incoming.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > MOST_BYTES) incoming.destroy();
  });
  incoming.on('error', () => undefined);
  incoming.once('end', () => clearTimeout(cut));
  incoming.once('close', () => clearTimeout(cut));
  incoming.resume();
}
