import { HeaderReader } from '../http/header-reader.ts';
import { HOP_BY_HOP } from '../http/hop-by-hop.ts';
import { malformed } from './upstream-error.ts';

/** What an engine's headers say. */
interface MeantHeaders {
  /** In lower case; empty where there is none. */
  contentType: string;
  /** The body is compressed. */
  encoded: boolean;
  /** There is a `Date`. */
  dated: boolean;
  contentLength: number | null;
  transferCoding: string | null;
  connection: string | null;
  keepAlive: string | null;
}

/** The headers that mean something here. */
const READER = new HeaderReader([...HOP_BY_HOP, 'content-length', 'content-type', 'content-encoding', 'date'].map((name) => [name, name]));

/**
 * Reads the header lines of an answer, from `from` to the line break at `end`. `headers`: in lines, without hop-by-hop ones. Throws
 * `UpstreamError` `malformed` for bytes that no header may have, folded lines, and a length that is no number or given twice.
 */
export function readAnswerHeaders(bytes: Buffer, from: number, end: number): { readonly headers: string; readonly meant: MeantHeaders } {
  const meant = nothingMeant();
  const headers = READER.read(bytes, from, end, (meaning, value) => note(meant, meaning, value));
  if (headers === null) throw malformed('its headers have bytes that none may have, or no colon');
  return { headers, meant };
}

function nothingMeant(): MeantHeaders {
  return { contentType: '', encoded: false, dated: false, contentLength: null, transferCoding: null, connection: null, keepAlive: null };
}

/** False for a header of this connection alone. */
function note(meant: MeantHeaders, meaning: string, value: string): boolean {
  switch (meaning) {
    case 'content-type':
      meant.contentType = value.toLowerCase();
      return true;
    case 'content-encoding':
      meant.encoded = value.toLowerCase() !== 'identity';
      return true;
    case 'content-length':
      // Two lengths that agree are none either: passed on, they would make the next reader refuse the answer.
      if (meant.contentLength !== null) throw malformed('it has two lengths');
      meant.contentLength = lengthOf(value);
      return true;
    case 'date':
      meant.dated = true;
      return true;
    case 'connection':
      meant.connection = joined(meant.connection, value);
      return false;
    case 'keep-alive':
      meant.keepAlive = value;
      return false;
    case 'transfer-encoding':
      meant.transferCoding = joined(meant.transferCoding, value);
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

function joined(before: string | null, value: string): string {
  return before === null ? value : `${before},${value}`;
}
