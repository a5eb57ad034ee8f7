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

/** The request's head in Latin-1, with its empty line. Whoever read the client's head has let no line break into a name or a value. */
export function requestHead(request: UpstreamRequest, host: string): string {
  const { method, path, headers, body } = request;
  const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${headers}`;
  if (body === null) return method === 'GET' ? `${head}\r\n` : `${head}content-length: 0\r\n\r\n`;
  const length = body.kind === 'whole' ? body.bytes.length : body.length;
  return length === null ? `${head}transfer-encoding: chunked\r\n\r\n` : `${head}content-length: ${length}\r\n\r\n`;
}
