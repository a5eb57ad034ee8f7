const KEY = Buffer.from('"model"');
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SPACE = 0x20;

/**
 * Puts another name into the `model` members of JSON that passes by in pieces: whole bodies and event streams alike. Only members whose
 * value is `from` change. A quote inside a JSON string is escaped, so the bytes `"model"` with no backslash in front are a key or a
 * whole string, and a colon behind tells which. Bytes that may be the begin of such a member are held back until the next piece tells.
 */
export class ModelRename {
  readonly #from: Buffer;
  readonly #to: Buffer;
  #held: Buffer = Buffer.alloc(0);
  /** The last byte passed on. */
  #previous: number | undefined = undefined;

  constructor(from: string, to: string) {
    this.#from = Buffer.from(JSON.stringify(from));
    this.#to = Buffer.from(JSON.stringify(to));
  }

  /** The bytes that may be passed on now. */
  feed(piece: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const out: Buffer[] = [];
    let done = 0;
    for (let at = bytes.indexOf(KEY); at !== -1; at = bytes.indexOf(KEY, at + KEY.length)) {
      if ((at === 0 ? this.#previous : bytes[at - 1]) === BACKSLASH) continue;
      const value = valueAt(bytes, at + KEY.length);
      if (value === 'unknown') return this.#hold(out, bytes, done, at);
      if (value === null) continue;
      const end = value + this.#from.length;
      const wanted = this.#from.subarray(0, Math.max(0, bytes.length - value));
      if (!bytes.subarray(value, end).equals(wanted)) continue;
      if (end > bytes.length) return this.#hold(out, bytes, done, at);
      out.push(bytes.subarray(done, value), this.#to);
      done = end;
    }
    return this.#hold(out, bytes, done, bytes.length - partialKeyLength(bytes, done));
  }

  /** What is left at the end. */
  flush(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }

  #hold(out: Buffer[], bytes: Buffer, done: number, from: number): Buffer {
    out.push(bytes.subarray(done, from));
    this.#held = bytes.subarray(from);
    if (from > 0) this.#previous = bytes[from - 1];
    return out.length === 1 ? (out[0] ?? bytes) : Buffer.concat(out);
  }
}

/** Where the member's value begins; `null` when this is no member; `unknown` when the bytes end before that can be told. */
function valueAt(bytes: Buffer, from: number): number | null | 'unknown' {
  let at = from;
  while (bytes[at] === SPACE) at += 1;
  if (at >= bytes.length) return 'unknown';
  if (bytes[at] !== COLON) return null;
  at += 1;
  while (bytes[at] === SPACE) at += 1;
  return at >= bytes.length ? 'unknown' : at;
}

/** Length of the longest end of `bytes` (behind `from`) that could go on to be the key. */
function partialKeyLength(bytes: Buffer, from: number): number {
  for (let length = Math.min(KEY.length - 1, bytes.length - from); length > 0; length -= 1) {
    if (bytes.subarray(bytes.length - length).equals(KEY.subarray(0, length))) return length;
  }
  return 0;
}
