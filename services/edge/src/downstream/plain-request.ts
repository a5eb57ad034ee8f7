import { beginsLike, HEAD_END_LENGTH, headEndIn } from '../http/head-bytes.ts';
import { HeaderReader } from '../http/header-reader.ts';
import { HOP_BY_HOP } from '../http/hop-by-hop.ts';
import { isHost } from '../server-limits.ts';
import { withoutQuery } from '../proxy/request-path.ts';
import { KEPT_FROM_ENGINE } from './client-headers.ts';
import type { ClientHeaders } from './client-headers.ts';

/** A request that needs no more than this file knows of HTTP. */
export interface PlainRequest {
  readonly kind: 'request';
  /** Without its query. */
  readonly path: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: ClientHeaders;
  /** What an engine sees of them: the lines as they were sent. */
  readonly engineHeaders: string;
  readonly body: Buffer;
  /** Bytes from the first of the head to the last of the body. */
  readonly length: number;
}

export type PlainRead =
  | PlainRequest
  /** It may become one, with at least so many bytes in all. */
  | { readonly kind: 'partial'; readonly bytes: number }
  /** It is for somebody who knows all of HTTP. */
  | { readonly kind: 'other' };

export interface PlainLimits {
  readonly bodyBytes: number;
  readonly isRoute: (path: string) => boolean;
}

const OTHER: PlainRead = { kind: 'other' };
const METHOD = Buffer.from('POST ');
const VERSION = ' HTTP/1.1';
const [CR, LF] = [0x0d, 0x0a];
const LONGEST_HEAD = 16 * 1024;
/** Node's own limit is higher, and it says so to whoever passes it. */
const MOST_HEADERS = 100;
/** With its `?`, or nothing. */
const QUERY = /^(?:\?[\x21-\x7e]*)?$/;
const LENGTH = /^\d{1,9}$/;

/** The headers that are read, each of which may come once. */
const READ = ['host', 'content-length', 'connection', 'authorization', 'x-api-key', 'prefer', 'content-type'] as const;
type ReadHeaders = Record<(typeof READ)[number], string | undefined>;

/** What is done with a header: read (and passed on, or not), dropped, or left to somebody else; all others are passed on. */
type Use = { readonly name: keyof ReadHeaders; readonly passed: boolean } | 'dropped' | 'other';
/** With one of these, it takes more than this file knows to read the request or to pass it on. */
const OTHERS = ['content-encoding', 'expect', ...HOP_BY_HOP].filter((name) => name !== 'connection' && name !== 'keep-alive');
const NOT_PASSED: ReadonlySet<string> = new Set([...HOP_BY_HOP, ...KEPT_FROM_ENGINE]);
const USES = new Map<string, Use>([
  ...[...NOT_PASSED].map((name) => [name, 'dropped'] as const),
  ...OTHERS.map((name) => [name, 'other'] as const),
  ...READ.map((name) => [name, { name, passed: !NOT_PASSED.has(name) }] as const),
]);
const READER = new HeaderReader<Use>(USES, MOST_HEADERS);

/**
 * Reads the request at the begin of `bytes`: a POST to an engine's route as nearly all clients send it, of which every reader sees the same
 * head, the same length and the same body. Whatever is malformed, ambiguous or merely unusual is `other`: nothing is refused or repaired here.
 */
export function readPlainRequest(bytes: Buffer, limits: PlainLimits): PlainRead {
  if (!beginsLike(bytes, 0, bytes.length, METHOD)) return OTHER;
  const headEnd = headEndIn(bytes, 0, bytes.length);
  if (headEnd === -1) return bytes.length > LONGEST_HEAD ? OTHER : { kind: 'partial', bytes: bytes.length + 1 };
  if (headEnd > LONGEST_HEAD) return OTHER;
  const lineEnd = bytes.indexOf(CR, METHOD.length);
  const line = bytes.toString('latin1', METHOD.length, lineEnd);
  if (bytes[lineEnd + 1] !== LF || !line.endsWith(VERSION)) return OTHER;
  const target = line.slice(0, -VERSION.length);
  const path = withoutQuery(target);
  if (!limits.isRoute(path) || !QUERY.test(target.slice(path.length))) return OTHER;
  const read = readHeaders(bytes, lineEnd + 2, headEnd);
  if (read === null || read.bodyBytes > limits.bodyBytes) return OTHER;
  const bodyAt = headEnd + HEAD_END_LENGTH;
  const length = bodyAt + read.bodyBytes;
  if (bytes.length < length) return { kind: 'partial', bytes: length };
  const { headers, engineHeaders } = read;
  return { kind: 'request', path, target, headers, engineHeaders, body: bytes.subarray(bodyAt, length), length };
}

interface PlainHeaders {
  readonly headers: ClientHeaders;
  readonly engineHeaders: string;
  readonly bodyBytes: number;
}

/** `null`: not plain. */
function readHeaders(bytes: Buffer, from: number, end: number): PlainHeaders | null {
  const headers = noHeaders();
  let isOther = false;
  const engineHeaders = READER.read(bytes, from, end, (use, value) => {
    if (typeof use === 'string') {
      isOther ||= use === 'other';
      return false;
    }
    isOther ||= headers[use.name] !== undefined;
    headers[use.name] = value;
    return use.passed;
  });
  const { host, connection, 'content-length': length } = headers;
  if (engineHeaders === null || isOther || host === undefined || !isHost(host) || length === undefined || !LENGTH.test(length)) return null;
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return null;
  return { headers, engineHeaders, bodyBytes: Number(length) };
}

function noHeaders(): ReadHeaders {
  return {
    host: undefined,
    'content-length': undefined,
    connection: undefined,
    authorization: undefined,
    'x-api-key': undefined,
    prefer: undefined,
    'content-type': undefined,
  };
}
