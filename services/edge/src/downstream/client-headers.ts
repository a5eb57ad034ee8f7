import type { KeyHeaders } from '../keys/presented-key.ts';

/** The headers of a client that the edge itself reads. */
export interface ClientHeaders extends KeyHeaders {
  readonly prefer?: string | string[] | undefined;
  readonly 'content-type'?: string | undefined;
  readonly 'content-encoding'?: string | undefined;
}
