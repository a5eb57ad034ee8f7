import { isUtf8 } from 'node:buffer';
import { invalidRequest } from './asked.ts';
import { parseParameters } from './header-parameters.ts';

const CR = 0x0d;
const LF = 0x0a;
const BEHIND_HEAD = '\r\n\r\n';

/** Longest text field that is read. */
const LONGEST_FIELD_BYTES = 4096;
/** Longest head of a part. */
const LONGEST_HEAD_BYTES = 8192;
/** Starlette takes as many (1.10, `max_fields`, `max_files`). */
const MOST_PARTS = 1000;

type State = 'start' | 'delimiter' | 'head' | 'field' | 'skipped' | 'end';

/**
 * Reads short text fields of a `multipart/form-data` body (RFC 7578) that comes in pieces; of everything else it keeps no more than the
 * length of a delimiter. Python's reader (python-multipart 0.0.34, Starlette 1.10) finds the same fields in every body that is taken here:
 * whatever two readers could split differently is refused with `INVALID_REQUEST`, such as text in front of the first delimiter, a delimiter
 * behind a bare line feed, or one with anything else behind it.
 */
export class FormScanner {
  /** The value of each wanted field that has ended. */
  readonly found = new Map<string, string>();
  readonly #wanted: ReadonlySet<string>;
  readonly #delimiter: Buffer;
  #state: State = 'start';
  #rest: Buffer = Buffer.alloc(0);
  #parts = 0;
  #name = '';
  #value: Buffer[] = [];
  #valueBytes = 0;
  /** Something of this part's content has been taken, so the first two bytes have been looked at. */
  #within = false;

  constructor(contentType: string, wanted: readonly string[]) {
    this.#wanted = new Set(wanted);
    this.#delimiter = Buffer.from(`--${boundaryOf(contentType)}`, 'latin1');
  }

  /** The last delimiter has come. */
  get ended(): boolean {
    return this.#state === 'end';
  }

  feed(piece: Buffer): void {
    let bytes = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    while (this.#state !== 'end') {
      const state = this.#state;
      const taken = this.#step(bytes);
      bytes = bytes.subarray(taken);
      if (this.#state === state) break;
    }
    this.#rest = this.#state === 'end' ? Buffer.alloc(0) : bytes;
  }

  /** Takes from the front what can be told; where the state stays as it was, more must come. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'start':
        return this.#start(bytes);
      case 'delimiter':
        return this.#behindDelimiter(bytes);
      case 'head':
        return this.#head(bytes);
      case 'field':
      case 'skipped':
        return this.#content(bytes);
      case 'end':
        return bytes.length;
    }
  }

  /** Some clients write a line break first. */
  #start(bytes: Buffer): number {
    const at = bytes[0] === CR && bytes[1] === LF ? 2 : 0;
    const end = at + this.#delimiter.length;
    if (bytes.length < end || bytes.length < 2) return 0;
    if (!bytes.subarray(at, end).equals(this.#delimiter)) throw malformed('it does not begin with its boundary');
    this.#state = 'delimiter';
    return end;
  }

  #behindDelimiter(bytes: Buffer): number {
    if (bytes.length < 2) return 0;
    const next = bytes.toString('latin1', 0, 2);
    if (next === '--') this.#state = 'end';
    else if (next === '\r\n') this.#state = 'head';
    else throw malformed('a line begins with its boundary and goes on');
    return 2;
  }

  #head(bytes: Buffer): number {
    if (bytes[0] === CR && bytes[1] === LF) throw malformed('a part has no head');
    const end = bytes.indexOf(BEHIND_HEAD);
    if (end > LONGEST_HEAD_BYTES || (end === -1 && bytes.length > LONGEST_HEAD_BYTES)) throw malformed('the head of a part is too long');
    if (end === -1) return 0;
    this.#parts += 1;
    if (this.#parts > MOST_PARTS) throw malformed(`it has more than ${MOST_PARTS} parts`);
    const name = wantedField(bytes.toString('latin1', 0, end), this.#wanted);
    this.#name = name ?? '';
    this.#state = name === null ? 'skipped' : 'field';
    return end + BEHIND_HEAD.length;
  }

  #content(bytes: Buffer): number {
    for (let at = bytes.indexOf(this.#delimiter, this.#within ? 2 : 0); at !== -1; at = bytes.indexOf(this.#delimiter, at + 1)) {
      const [before, last] = [bytes[at - 2], bytes[at - 1]];
      if (last !== LF && last !== CR && at > 0) continue;
      if (at < 2 || before !== CR || last !== LF) throw malformed('its boundary stands behind a broken line end');
      this.#keep(bytes.subarray(0, at - 2));
      this.#fieldEnded();
      this.#within = false;
      this.#state = 'delimiter';
      return at + this.#delimiter.length;
    }
    // A delimiter may have begun: it and the line break in front of it are looked at again.
    const taken = Math.max(0, bytes.length - this.#delimiter.length - 1);
    this.#keep(bytes.subarray(0, taken));
    if (taken > 0) this.#within = true;
    return taken;
  }

  #keep(bytes: Buffer): void {
    if (this.#state !== 'field' || bytes.length === 0) return;
    this.#valueBytes += bytes.length;
    if (this.#valueBytes > LONGEST_FIELD_BYTES) throw malformed(`its field \`${this.#name}\` is longer than ${LONGEST_FIELD_BYTES} bytes`);
    this.#value.push(Buffer.from(bytes));
  }

  #fieldEnded(): void {
    if (this.#state !== 'field') return;
    const value = Buffer.concat(this.#value);
    this.#value = [];
    this.#valueBytes = 0;
    if (!isUtf8(value)) throw malformed(`its field \`${this.#name}\` is not UTF-8`);
    const text = value.toString('utf8');
    const known = this.found.get(this.#name);
    if (known !== undefined && known !== text) {
      throw invalidRequest(`The form has two different fields \`${this.#name}\`. Send it once.`, this.#name);
    }
    this.found.set(this.#name, text);
  }
}

/** Python takes any boundary up to 256 bytes; RFC 2046 allows 70 of these characters. */
function boundaryOf(contentType: string): string {
  const parsed = parseParameters(contentType);
  if (parsed?.main !== 'multipart/form-data') {
    throw invalidRequest('The body is not multipart/form-data with a boundary. Send the file and `model` as form fields.');
  }
  const boundary = parsed.parameters.get('boundary') ?? '';
  if (!/^[0-9A-Za-z'()+_,\-./:=?]{1,70}$/u.test(boundary) || parsed.parameters.has('boundary*')) {
    throw malformed('its Content-Type names no usable boundary');
  }
  if (!isUnicode(parsed.parameters)) throw malformed('its charset is not UTF-8');
  return boundary;
}

/** The name of the part when it is a wanted field, `null` when it is anything else. */
function wantedField(head: string, wanted: ReadonlySet<string>): string | null {
  const headers = new Map<string, string>();
  for (const line of head.split('\r\n')) {
    const header = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\r\n\0]*)$/u.exec(line);
    const name = header?.[1]?.toLowerCase();
    if (header === null || name === undefined || headers.has(name)) throw malformed('the head of a part is malformed');
    headers.set(name, header[2] ?? '');
  }
  const disposition = parseParameters(headers.get('content-disposition') ?? '');
  const name = disposition?.parameters.get('name');
  if (disposition?.main !== 'form-data' || name === undefined || disposition.parameters.has('name*')) {
    throw malformed('a part has no plain Content-Disposition with a name');
  }
  if (!wanted.has(name)) return null;
  if (disposition.parameters.has('filename') || disposition.parameters.has('filename*')) {
    throw invalidRequest(`The form has a file named \`${name}\`. Send it as a text field.`, name);
  }
  const type = headers.get('content-type');
  const encoding = headers.get('content-transfer-encoding')?.trim().toLowerCase() ?? 'binary';
  const parameters = type === undefined ? new Map<string, string>() : parseParameters(type)?.parameters;
  if (parameters === undefined || !isUnicode(parameters) || !['7bit', '8bit', 'binary'].includes(encoding)) {
    throw malformed(`its field \`${name}\` is not plain UTF-8`);
  }
  return name;
}

function isUnicode(parameters: ReadonlyMap<string, string>): boolean {
  const charset = parameters.get('charset');
  return !parameters.has('charset*') && (charset === undefined || /^(?:utf-?8|us-ascii)$/iu.test(charset));
}

function malformed(what: string): Error {
  return invalidRequest(`The form could not be read: ${what}.`);
}
