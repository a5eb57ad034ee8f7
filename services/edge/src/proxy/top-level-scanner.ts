const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Longest key or value that is kept; a model's name is shorter. */
const LONGEST_TOKEN = 4096;

type Scalar = string | number | boolean | null;

/** Before the text of a UTF-8 file; Python's `json` skips it. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Finds scalar members of the top-level object in a JSON text that comes in pieces, without parsing the rest: strings are skipped by
 * searching for their closing quote, so a body with a large image costs next to nothing. Of repeated members the last wins, as in
 * `JSON.parse` and in Python. It does not check that the text is well-formed; the engine does. Only what two readers could take for
 * different texts counts as no object: bytes of 0, which Python reads as UTF-16 or UTF-32.
 */
export class TopLevelScanner {
  /** `undefined`: the member is there, but is no scalar or longer than a name can be. */
  readonly found = new Map<string, Scalar | undefined>();
  readonly #wanted: ReadonlySet<string>;
  #depth = 0;
  #inString = false;
  /** An odd number of backslashes ended the piece before. */
  #escaped = false;
  #expectsKey = false;
  #key: string | null = null;
  #token: string | null = null;
  #notAnObject = false;
  /** Bytes of a byte order mark seen; -1: the text has begun. */
  #mark = 0;

  constructor(wanted: readonly string[]) {
    this.#wanted = new Set(wanted);
  }

  /** True when the text is no JSON object at all. */
  get notAnObject(): boolean {
    return this.#notAnObject;
  }

  /** Reads the next piece. */
  feed(piece: Buffer): void {
    let at = this.#mark === -1 ? 0 : this.#skipMark(piece);
    while (at < piece.length && !this.#notAnObject) at = this.#inString ? this.#string(piece, at) : this.#structure(piece, at);
  }

  #skipMark(piece: Buffer): number {
    for (let at = 0; at < piece.length; at += 1) {
      if (piece[at] !== BYTE_ORDER_MARK[this.#mark]) {
        if (this.#mark > 0) this.#notAnObject = true;
        this.#mark = -1;
        return at;
      }
      this.#mark += 1;
      if (this.#mark < BYTE_ORDER_MARK.length) continue;
      this.#mark = -1;
      return at + 1;
    }
    return piece.length;
  }

  #string(piece: Buffer, from: number): number {
    let search = from;
    for (;;) {
      const quoteAt = piece.indexOf(QUOTE, search);
      const end = quoteAt === -1 ? piece.length : quoteAt;
      const escaped = this.#endsEscaped(piece, from, end);
      if (quoteAt === -1) {
        this.#keep(piece, from, end);
        this.#escaped = escaped;
        return end;
      }
      if (escaped) {
        search = quoteAt + 1;
        continue;
      }
      this.#keep(piece, from, quoteAt);
      this.#escaped = false;
      this.#inString = false;
      this.#stringEnded();
      return quoteAt + 1;
    }
  }

  /** Whether the byte at `end` is escaped by the backslashes in front of it. */
  #endsEscaped(piece: Buffer, from: number, end: number): boolean {
    let at = end;
    while (at > from && piece[at - 1] === BACKSLASH) at -= 1;
    const odd = (end - at) % 2 === 1;
    return at === from && this.#escaped ? !odd : odd;
  }

  #keep(piece: Buffer, from: number, end: number): void {
    if (this.#token === null) return;
    if (this.#token.length + end - from <= LONGEST_TOKEN) {
      this.#token += piece.toString('latin1', from, end);
      return;
    }
    this.#token = null;
    if (!this.#expectsKey && this.#isWanted()) this.#store(undefined);
  }

  #stringEnded(): void {
    if (this.#depth !== 1) return;
    const value = this.#token === null ? undefined : unescaped(this.#token);
    this.#token = null;
    if (this.#expectsKey) this.#key = value ?? null;
    else if (this.#isWanted()) this.#store(value);
  }

  #structure(piece: Buffer, from: number): number {
    for (let at = from; at < piece.length; at += 1) {
      const byte = piece[at];
      switch (byte) {
        case 0x20:
        case 0x09:
        case 0x0a:
        case 0x0d:
          break;
        case QUOTE:
          if (this.#depth === 0) this.#notAnObject = true;
          this.#inString = true;
          this.#token = this.#depth === 1 && (this.#expectsKey || this.#isWanted()) ? '' : null;
          return at + 1;
        case 0x7b: // {
        case 0x5b: // [
          if (this.#depth === 0 && byte === 0x5b) this.#notAnObject = true;
          if (this.#depth === 1 && !this.#expectsKey && this.#isWanted()) this.#store(undefined);
          this.#token = null;
          this.#depth += 1;
          if (this.#depth === 1) this.#expectsKey = true;
          break;
        case 0x7d: // }
        case 0x5d: // ]
          this.#literalEnded();
          this.#depth -= 1;
          break;
        case 0x2c: // ,
          this.#literalEnded();
          if (this.#depth === 1) this.#expectsKey = true;
          break;
        case 0x3a: // :
          if (this.#depth === 1) {
            this.#expectsKey = false;
            this.#token = this.#isWanted() ? '' : null;
          }
          break;
        case 0x00:
          this.#notAnObject = true;
          break;
        case undefined:
        default:
          if (this.#depth === 0) this.#notAnObject = true;
          else if (this.#depth === 1) this.#keep(piece, at, at + 1);
      }
      if (this.#notAnObject) return piece.length;
    }
    return piece.length;
  }

  #literalEnded(): void {
    if (this.#depth !== 1 || this.#expectsKey || this.#token === null || this.#token === '') return;
    const value = parsed(this.#token);
    this.#token = null;
    this.#store(value === null || typeof value === 'number' || typeof value === 'boolean' ? value : undefined);
  }

  #isWanted(): boolean {
    return this.#key !== null && this.#wanted.has(this.#key);
  }

  #store(value: Scalar | undefined): void {
    if (this.#key !== null) this.found.set(this.#key, value);
  }
}

/** Bytes were kept as Latin-1; what they mean is UTF-8. */
function unescaped(token: string): string | undefined {
  const value = parsed(`"${Buffer.from(token, 'latin1').toString('utf8')}"`);
  return typeof value === 'string' ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
