/** One request as it goes to an engine. */
export interface UpstreamRequest {
  readonly method: 'GET' | 'POST';
  /** Path and query. */
  readonly path: string;
  /** In lines, each with its end; without host, length and transfer coding, which the connection adds. */
  readonly headers: string;
  readonly body: UpstreamBody | null;
}

/** A body at once, or one that flows; `length` is what its client declared, `null` sends it in chunks. */
export type UpstreamBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  | { readonly kind: 'flowing'; readonly pieces: AsyncIterable<Buffer>; readonly length: number | null };

/**
 * Writes the heads of the requests to one engine, in Latin-1, with their empty line. Whoever read the client's head has let no line break into
 * a name or a value. The lines that the last request began with are kept: most requests to an engine are for one path, and a string of few
 * pieces is cheaper to write.
 */
export class RequestHeads {
  readonly #authority: string;
  #method = '';
  #path = '';
  #begin = '';

  constructor(authority: string) {
    this.#authority = authority;
  }

  of({ method, path, headers, body }: UpstreamRequest): string {
    if (path !== this.#path || method !== this.#method) {
      this.#method = method;
      this.#path = path;
      this.#begin = `${method} ${path} HTTP/1.1\r\nhost: ${this.#authority}\r\n`;
    }
    return this.#begin + headers + framingOf(method, body);
  }
}

function framingOf(method: string, body: UpstreamBody | null): string {
  if (body === null) return method === 'GET' ? '\r\n' : 'content-length: 0\r\n\r\n';
  const length = body.kind === 'whole' ? body.bytes.length : body.length;
  return length === null ? 'transfer-encoding: chunked\r\n\r\n' : `content-length: ${length}\r\n\r\n`;
}
