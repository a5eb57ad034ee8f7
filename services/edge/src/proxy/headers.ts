/** Meant for one connection only (RFC 9110 §7.6.1), plus what older clients send. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Never passed on to an engine. The client's key and cookies are for Berth; `Expect` is answered by Node itself; host and length are
 * set anew for the upstream connection.
 */
const KEPT_FROM_ENGINE: ReadonlySet<string> = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'cookie',
  'expect',
  'host',
  'content-length',
]);

/**
 * The request headers that an engine sees, flat: name, value. Everything else of the client is passed on as sent, `Accept-Encoding` too,
 * unless `readable` asks for an answer that Berth can read.
 */
export function engineRequestHeaders(rawHeaders: readonly string[], connection: string | undefined, readable: boolean): string[] {
  const named = connectionOptions(connection);
  const headers: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || KEPT_FROM_ENGINE.has(lower) || named?.has(lower) === true) continue;
    if (readable && lower === 'accept-encoding') continue;
    headers.push(name, rawHeaders[index + 1] ?? '');
  }
  return headers;
}

/** What the relay must know of an engine's head. */
export interface AnswerHead {
  /** Flat: name, value. */
  readonly headers: string[];
  readonly contentType: string;
  /** The body is compressed, so nothing can be added to it or read from it. */
  readonly encoded: boolean;
}

/** Whether the status sends clients elsewhere: to an address of the engine's own, which they cannot reach and need not know. */
export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The engine's headers without those of its own connection; `relength` drops its length too, for an answer whose bytes change. */
export function clientAnswerHead(rawHeaders: readonly (Buffer | string)[], relength: boolean): AnswerHead {
  let named: ReadonlySet<string> | null = null;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (isConnectionHeader(rawHeaders[index])) named = connectionOptions(text(rawHeaders[index + 1])) ?? named;
  }
  const headers: string[] = [];
  let contentType = '';
  let encoded = false;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = text(rawHeaders[index]);
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || named?.has(lower) === true) continue;
    const value = text(rawHeaders[index + 1]);
    if (lower === 'content-type') contentType = value.toLowerCase();
    else if (lower === 'content-encoding') encoded = value.toLowerCase() !== 'identity';
    else if (lower === 'content-length' && relength) continue;
    headers.push(name, value);
  }
  return { headers, contentType, encoded };
}

/** Names that a `Connection` header declares hop-by-hop; `null` for the usual ones that declare none. */
function connectionOptions(value: string | undefined): ReadonlySet<string> | null {
  if (value === undefined || value === 'keep-alive' || value === 'close') return null;
  return new Set(value.split(',').map((option) => option.trim().toLowerCase()));
}

function isConnectionHeader(name: Buffer | string | undefined): boolean {
  return name?.length === 10 && text(name).toLowerCase() === 'connection';
}

/** Header bytes are Latin-1 on the wire. */
function text(value: Buffer | string | undefined): string {
  return typeof value === 'string' ? value : (value?.toString('latin1') ?? '');
}
