import { KEPT_FROM_ENGINE } from '../downstream/client-headers.ts';
import { connectionOptions, HOP_BY_HOP } from '../http/hop-by-hop.ts';

/**
 * The request headers that an engine sees, in lines. Everything else of the client is passed on as sent, `Accept-Encoding` too,
 * unless `readable` asks for an answer that Berth can read.
 */
export function engineRequestHeaders(rawHeaders: readonly string[], connection: string | undefined, readable: boolean): string {
  const named = connectionOptions(connection);
  let lines = '';
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || KEPT_FROM_ENGINE.has(lower) || named?.has(lower) === true) continue;
    if (readable && lower === 'accept-encoding') continue;
    lines += `${name}: ${rawHeaders[index + 1] ?? ''}\r\n`;
  }
  return lines;
}

/** Whether the status sends clients elsewhere: to an address of the engine's own, which they cannot reach and need not know. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}
