import { HOP_BY_HOP } from './hop-by-hop.ts';
import { malformed } from './upstream-error.ts';

/** What an engine's headers say. */
export interface HeaderLines {
  /** Flat: name, value, as the engine wrote them, without hop-by-hop ones. */
  readonly headers: string[];
  /** In lower case; empty where there is none. */
  contentType: string;
  /** The body is compressed. */
  encoded: boolean;
  contentLength: number | null;
  transferCoding: string | null;
  connection: string | null;
  keepAlive: string | null;
}

const [TAB, LF, CR, SPACE, COLON] = [0x09, 0x0a, 0x0d, 0x20, 0x3a];
/** Bytes of names, in lower case, and of values; 0 for those that none may have. */
const NAME = byteTable(/[!#$%&'*+\-.^_`|~0-9A-Za-z]/);
const VALUE = byteTable(/[\t\x20-\x7e\x80-\xff]/);
/** The headers that mean something here, by the length of their name: most others are told apart by that or by the first letter. */
const MEANT = [...HOP_BY_HOP, 'content-length', 'content-type', 'content-encoding'].map((name) => ({ name, letters: Buffer.from(name) }));
const MEANT_BY_LENGTH = Array.from({ length: 20 }, (_, length) => MEANT.filter(({ name }) => name.length === length));

/**
 * Reads the lines from `from` to the line break at `end`, behind which an empty line stands, in one pass over their bytes: with a table it
 * costs half of what regular expressions for names and values cost (Node 26.10, measured). Throws `UpstreamError` `malformed` for bytes
 * that none may have, folded lines, and a length that is no number or given twice.
 */
export function parseHeaderLines(bytes: Buffer, from: number, end: number): HeaderLines {
  const lines = emptyLines();
  const text = bytes.toString('latin1', from, end);
  for (let at = from; at < end;) {
    const nameEnd = runEnd(bytes, at, NAME);
    if (nameEnd === at || bytes[nameEnd] !== COLON) throw malformed('a header has no name with a colon behind it');
    let first = nameEnd + 1;
    while (isSpace(bytes[first])) first += 1;
    const lineEnd = runEnd(bytes, first, VALUE);
    if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) throw malformed('a header has characters that none may have');
    // Spaces and tabs alone stand around a value (RFC 9110 §5.5): other bytes that `trim` takes for space belong to it.
    let last = lineEnd;
    while (last > first && isSpace(bytes[last - 1])) last -= 1;
    const value = text.slice(first - from, last - from);
    const meaning = meaningOf(bytes, at, nameEnd);
    if (meaning === null || note(lines, meaning, value)) lines.headers.push(text.slice(at - from, nameEnd - from), value);
    at = lineEnd + 2;
  }
  return lines;
}

function emptyLines(): HeaderLines {
  return { headers: [], contentType: '', encoded: false, contentLength: null, transferCoding: null, connection: null, keepAlive: null };
}

/** False for a header of this connection alone. */
function note(lines: HeaderLines, meaning: string, value: string): boolean {
  switch (meaning) {
    case 'content-type':
      lines.contentType = value.toLowerCase();
      return true;
    case 'content-encoding':
      lines.encoded = value.toLowerCase() !== 'identity';
      return true;
    case 'content-length':
      // Two lengths that agree are none either: passed on, they would make the next reader refuse the answer.
      if (lines.contentLength !== null) throw malformed('it has two lengths');
      lines.contentLength = lengthOf(value);
      return true;
    case 'connection':
      lines.connection = joined(lines.connection, value);
      return false;
    case 'keep-alive':
      lines.keepAlive = value;
      return false;
    case 'transfer-encoding':
      lines.transferCoding = joined(lines.transferCoding, value);
      return false;
    default:
      return false;
  }
}

/** A number of at most 15 digits, which is exact. */
function lengthOf(value: string): number {
  let length = 0;
  for (let at = 0; at < value.length; at += 1) {
    const digit = value.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) throw malformed('its length is no number');
    length = length * 10 + digit;
  }
  if (value.length === 0 || value.length > 15) throw malformed('its length is no number');
  return length;
}

/** The name in lower case, where it is one that means something here. */
function meaningOf(bytes: Buffer, from: number, end: number): string | null {
  for (const { name, letters } of MEANT_BY_LENGTH[end - from] ?? []) {
    let at = from;
    while (at < end && NAME[bytes[at] ?? 0] === letters[at - from]) at += 1;
    if (at === end) return name;
  }
  return null;
}

/** The first byte from `at` on that is not in the table. Line breaks are in none, so the end of the head ends every run. */
function runEnd(bytes: Buffer, at: number, table: Uint8Array): number {
  let end = at;
  while (table[bytes[end] ?? 0] !== 0) end += 1;
  return end;
}

function byteTable(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    const letter = String.fromCharCode(byte);
    return pattern.test(letter) ? letter.toLowerCase().charCodeAt(0) : 0;
  });
}

function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function joined(before: string | null, value: string): string {
  return before === null ? value : `${before},${value}`;
}
