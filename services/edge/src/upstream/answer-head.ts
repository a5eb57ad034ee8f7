import { UpstreamError } from './upstream-error.ts';

/** The head of an engine's answer. */
export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  /** Flat: name, value; names as the engine wrote them. */
  readonly headers: readonly string[];
  readonly framing: AnswerFraming;
  /** How long the engine lets this connection stay idle afterwards, ms; 0: not at all; `null`: it does not say. */
  readonly keepAliveMs: number | null;
}

/** Where the body ends (RFC 9112 §6.3): after so many bytes, with the last chunk, or with the connection. */
export type AnswerFraming =
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const NONE: AnswerFraming = { kind: 'length', bytes: 0 };
const CHUNKED: AnswerFraming = { kind: 'chunked' };
const UNTIL_CLOSE: AnswerFraming = { kind: 'until-close' };

/**
 * Parses the head of an answer, `text` being its bytes as Latin-1 without the empty line. Throws `UpstreamError` `malformed` for what RFC 9112
 * forbids and for every head whose body could be taken to end in different places: both a length and chunks, a length given twice, a
 * transfer coding but chunked or in HTTP/1.0, folded lines.
 */
export function parseAnswerHead(text: string): AnswerHead {
  const firstEnd = lineEnd(text, 0);
  const statusLine = STATUS_LINE.exec(text.slice(0, firstEnd));
  if (statusLine === null) throw malformed('the first line is no status line of HTTP/1.1');
  const headers: string[] = [];
  let length: string | null = null;
  let coding: string | null = null;
  let connection: string | null = null;
  let keepAlive: string | null = null;
  for (let at = firstEnd + 2; at < text.length;) {
    const end = lineEnd(text, at);
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) throw malformed('a header has no colon');
    const name = text.slice(at, colon);
    const value = withoutSpace(text, colon + 1, end);
    if (!NAME.test(name) || !VALUE.test(value)) throw malformed('a header has characters that none may have');
    headers.push(name, value);
    switch (name.length) {
      case 10:
        if (isNamed(name, 'connection')) connection = joined(connection, value);
        else if (isNamed(name, 'keep-alive')) keepAlive = value;
        break;
      case 14:
        if (isNamed(name, 'content-length')) length = onlyLength(length, value);
        break;
      case 17:
        if (isNamed(name, 'transfer-encoding')) coding = joined(coding, value);
        break;
    }
    at = end + 2;
  }
  const status = Number(statusLine[2]);
  const isHttp11 = statusLine[1] === '1';
  if (coding !== null && !isHttp11) throw malformed('it is of HTTP/1.0, which knows no transfer coding');
  const framing = framingOf(status, length, coding);
  const persistent = framing.kind !== 'until-close' && isPersistent(isHttp11, connection);
  return { status, statusText: statusLine[3] ?? '', headers, framing, keepAliveMs: persistent ? keepAliveMs(keepAlive) : 0 };
}

function framingOf(status: number, length: string | null, coding: string | null): AnswerFraming {
  if (coding !== null && length !== null) throw malformed('it has both a length and a transfer coding');
  if (coding !== null && coding.toLowerCase() !== 'chunked') throw malformed('its transfer coding is not chunked');
  if (status < 200 || status === 204 || status === 304) return NONE;
  if (coding !== null) return CHUNKED;
  return length === null ? UNTIL_CLOSE : { kind: 'length', bytes: Number(length) };
}

function isPersistent(isHttp11: boolean, connection: string | null): boolean {
  if (connection === null) return isHttp11;
  const options = connection.toLowerCase();
  return isHttp11 ? !/(?:^|,)\s*close\s*(?:,|$)/.test(options) : /(?:^|,)\s*keep-alive\s*(?:,|$)/.test(options);
}

function keepAliveMs(value: string | null): number | null {
  const seconds = value === null ? undefined : /(?:^|,)\s*timeout=(\d{1,6})/i.exec(value)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

/** Also two lengths that agree are no length: passed on, they would make the next reader refuse the answer. */
function onlyLength(before: string | null, value: string): string {
  if (!/^\d{1,15}$/.test(value)) throw malformed('its length is no number');
  if (before !== null) throw malformed('it has two lengths');
  return value;
}

/** Without the spaces and tabs around it (RFC 9110 §5.5), and those alone: other bytes that `trim` takes for space belong to the value, or to no header. */
function withoutSpace(text: string, from: number, end: number): string {
  let [first, last] = [from, end];
  while (first < last && isSpace(text.charCodeAt(first))) first += 1;
  while (last > first && isSpace(text.charCodeAt(last - 1))) last -= 1;
  return text.slice(first, last);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Every line ends with CR LF, the last one included once the empty line is cut off before it. */
function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\r\n', from);
  return at === -1 ? text.length : at;
}

function isNamed(name: string, wanted: string): boolean {
  return name === wanted || name.toLowerCase() === wanted;
}

function joined(before: string | null, value: string): string {
  return before === null ? value : `${before},${value}`;
}

function malformed(what: string): UpstreamError {
  return new UpstreamError('malformed', `The engine's answer cannot be read: ${what}.`);
}
