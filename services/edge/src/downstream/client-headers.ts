import type { KeyHeaders } from '../keys/presented-key.ts';

/** The headers of a client that the edge itself reads. */
export interface ClientHeaders extends KeyHeaders {
  readonly prefer?: string | string[] | undefined;
  readonly 'content-type'?: string | undefined;
  readonly 'content-encoding'?: string | undefined;
}

/**
 * Never passed on to an engine. The client's key and cookies are for Berth; `Expect` is answered by Node itself; host and length are
 * set anew for the upstream connection.
 */
export const KEPT_FROM_ENGINE: ReadonlySet<string> = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'cookie',
  'expect',
  'host',
  'content-length',
]);
