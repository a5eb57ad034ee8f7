/** One HTTP/1.1 message as it stood on the wire. */
export interface WireMessage {
  /** Request or status line. */
  readonly startLine: string;
  /** In order and as spelled. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Without its framing. */
  readonly body: Buffer;
  readonly trailers: readonly string[];
  /** How the end of the body was told. */
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** Bytes of the whole message. */
  readonly size: number;
}

/**
 * The first message in these bytes, or `null` while it is not whole. Strict, since tests read with it what the edge wrote: throws on
 * anything that is not HTTP/1.1. `closed`: nothing more comes, so a body without a length is whole. `bodiless`: an answer that has none.
 */
export function firstMessage(
  bytes: Buffer,
  { closed = false, bodiless = false }: { readonly closed?: boolean; readonly bodiless?: boolean } = {},
): WireMessage | null {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const [startLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const headers = lines.map(headerOf);
  const bodyAt = headEnd + 4;
  const isRequest = !startLine.startsWith('HTTP/');
  const status = isRequest ? 0 : Number(startLine.split(' ')[1]);
  const whole = (body: Buffer, framing: WireMessage['framing'], size: number, trailers: readonly string[] = []): WireMessage => ({
    startLine,
    headers,
    body,
    trailers,
    framing,
    size,
  });
  const lengths = valuesOf(headers, 'content-length');
  const codings = valuesOf(headers, 'transfer-encoding');
  if (lengths.length > 1 || codings.length > 1 || (lengths.length === 1 && codings.length === 1)) {
    throw new Error(`a message with several framings: ${startLine}`);
  }
  if (bodiless || status === 204 || status === 304 || (status >= 100 && status < 200)) return whole(Buffer.alloc(0), 'none', bodyAt);
  if (codings[0] !== undefined) {
    if (codings[0] !== 'chunked') throw new Error(`an unknown transfer coding: ${codings[0]}`);
    const chunks = dechunk(bytes, bodyAt);
    return chunks === null ? null : whole(chunks.body, 'chunked', chunks.end, chunks.trailers);
  }
  if (lengths[0] !== undefined) {
    if (!/^\d+$/u.test(lengths[0])) throw new Error(`a length that is no number: ${lengths[0]}`);
    const end = bodyAt + Number(lengths[0]);
    return bytes.length < end ? null : whole(bytes.subarray(bodyAt, end), 'length', end);
  }
  if (isRequest) return whole(Buffer.alloc(0), 'none', bodyAt);
  return closed ? whole(bytes.subarray(bodyAt), 'close', bytes.length) : null;
}

/** The values of a header, its name in any case. */
export function valuesOf(headers: WireMessage['headers'], name: string): string[] {
  return headers.filter(([own]) => own.toLowerCase() === name).map(([, value]) => value);
}

export function statusOf(message: WireMessage): number {
  return Number(message.startLine.split(' ')[1]);
}

function headerOf(line: string): readonly [string, string] {
  const header = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/su.exec(line);
  if (header === null) throw new Error(`a line that is no header: ${JSON.stringify(line)}`);
  return [header[1] ?? '', header[2] ?? ''];
}

function dechunk(bytes: Buffer, from: number): { body: Buffer; trailers: string[]; end: number } | null {
  const pieces: Buffer[] = [];
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const line = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9a-f]+$/iu.test(line)) throw new Error(`a line that is no chunk size: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) return trailersFrom(bytes, at, pieces);
    if (bytes.length < at + size + 2) return null;
    if (bytes.toString('latin1', at + size, at + size + 2) !== '\r\n') throw new Error('a chunk that is longer than its size');
    pieces.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}

function trailersFrom(bytes: Buffer, from: number, pieces: Buffer[]): { body: Buffer; trailers: string[]; end: number } | null {
  const trailers: string[] = [];
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    if (lineEnd === at) return { body: Buffer.concat(pieces), trailers, end: at + 2 };
    trailers.push(bytes.toString('latin1', at, lineEnd));
    at = lineEnd + 2;
  }
}
