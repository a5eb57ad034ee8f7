import { flatOf, linesOf } from '../http/header-lines.ts';
import { connectionOptions } from '../http/hop-by-hop.ts';
import { readAnswerHeaders } from './answer-headers.ts';
import { malformed } from './upstream-error.ts';

/** The head of an engine's answer. */
export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  /** In lines, as the engine wrote them, without those of its own connection. */
  readonly headers: string;
  /** In lower case; empty where the engine does not say. */
  readonly contentType: string;
  /** The body is compressed, so nothing can be added to it or read from it. */
  readonly encoded: boolean;
  /** It says when it was made. */
  readonly dated: boolean;
  readonly framing: AnswerFraming;
  /** How long the engine lets this connection stay idle afterwards, ms; 0: not at all; `null`: it does not say. */
  readonly keepAliveMs: number | null;
}

/** Where the body ends (RFC 9112 §6.3): after so many bytes, with the last chunk, or with the connection. */
export type AnswerFraming =
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

interface StatusLine {
  readonly isHttp11: boolean;
  readonly status: number;
  readonly statusText: string;
  /** Bytes, with the line break. */
  readonly length: number;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/;
/** Nearly every answer begins so, and is spared the expression. */
const USUAL_BYTES = Buffer.from('HTTP/1.1 200 OK\r\n');
const USUAL_LINE: StatusLine = { isHttp11: true, status: 200, statusText: 'OK', length: USUAL_BYTES.length };
const NONE: AnswerFraming = { kind: 'length', bytes: 0 };
const CHUNKED: AnswerFraming = { kind: 'chunked' };
const UNTIL_CLOSE: AnswerFraming = { kind: 'until-close' };

/**
 * Parses the head of an answer, which stands in `bytes` from `from` to the line break at `end` and the empty line behind it. Throws
 * `UpstreamError` `malformed` for what RFC 9112 forbids and for every head whose body could be taken to end in different places: both a
 * length and chunks, a length given twice, a transfer coding but chunked or in HTTP/1.0, folded lines.
 */
export function parseAnswerHead(bytes: Buffer, from: number, end: number): AnswerHead {
  const { isHttp11, status, statusText, length } = parseStatusLine(bytes, from, end);
  const { headers, meant } = readAnswerHeaders(bytes, from + length, end);
  const { contentType, encoded, dated, contentLength, transferCoding, connection, keepAlive } = meant;
  if (transferCoding !== null && !isHttp11) throw malformed('it is of HTTP/1.0, which knows no transfer coding');
  const framing = framingOf(status, contentLength, transferCoding);
  const persistent = framing.kind !== 'until-close' && isPersistent(isHttp11, connection);
  const head = { status, statusText, headers, contentType, encoded, dated, framing, keepAliveMs: persistent ? keepAliveMs(keepAlive) : 0 };
  const named = connectionOptions(connection);
  return named === null ? head : withoutNamed(head, named);
}

function parseStatusLine(bytes: Buffer, from: number, end: number): StatusLine {
  let same = 0;
  while (same < USUAL_BYTES.length && bytes[from + same] === USUAL_BYTES[same]) same += 1;
  if (same === USUAL_BYTES.length) return USUAL_LINE;
  const found = STATUS_LINE.exec(bytes.toString('latin1', from, end + 2));
  if (found === null) throw malformed('the first line is no status line of HTTP/1.1');
  return { isHttp11: found[1] === '1', status: Number(found[2]), statusText: found[3] ?? '', length: found[0].length };
}

function framingOf(status: number, length: number | null, coding: string | null): AnswerFraming {
  if (coding !== null && length !== null) throw malformed('it has both a length and a transfer coding');
  if (coding !== null && coding.toLowerCase() !== 'chunked') throw malformed('its transfer coding is not chunked');
  if (status < 200 || status === 204 || status === 304) return NONE;
  if (coding !== null) return CHUNKED;
  return length === null ? UNTIL_CLOSE : { kind: 'length', bytes: length };
}

function isPersistent(isHttp11: boolean, connection: string | null): boolean {
  if (connection === null) return isHttp11;
  if (connection === 'keep-alive') return true;
  const options = connection.toLowerCase();
  return isHttp11 ? !/(?:^|,)\s*close\s*(?:,|$)/.test(options) : /(?:^|,)\s*keep-alive\s*(?:,|$)/.test(options);
}

function keepAliveMs(value: string | null): number | null {
  const seconds = value === null ? undefined : /(?:^|,)\s*timeout=(\d{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

/** The head without what its `Connection` header names. */
function withoutNamed(head: AnswerHead, named: ReadonlySet<string>): AnswerHead {
  // The length is the body's, whatever the engine says: without it the client would not see the end.
  const isKept = (name = ''): boolean => name.toLowerCase() === 'content-length' || !named.has(name.toLowerCase());
  return {
    ...head,
    headers: linesOf(flatOf(head.headers).filter((_, index, all) => isKept(all[index - (index % 2)]))),
    contentType: named.has('content-type') ? '' : head.contentType,
    encoded: head.encoded && !named.has('content-encoding'),
    dated: head.dated && !named.has('date'),
  };
}
