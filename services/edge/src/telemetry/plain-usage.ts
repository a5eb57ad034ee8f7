import type { TokenUsage } from './usage-reader.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const UNDERSCORE = 0x5f;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;
/** Of a number that is a safe integer whatever its digits are. */
const MOST_DIGITS = 15;
const NULL = Buffer.from('null');
const TOKENS = Buffer.from('_tokens');
const PROMPT = Buffer.from('prompt_tokens');
const INPUT = Buffer.from('input_tokens');
const COMPLETION = Buffer.from('completion_tokens');
const OUTPUT = Buffer.from('output_tokens');

/**
 * A `usage` object of the form that engines write: counts, nulls, and details that are objects of these, all without spaces. Read out of the bytes it takes
 * 0.2 µs; as a text and by `JSON.parse` 0.9.
 */
export class PlainUsage {
  #ofTokens = false;
  #prompt: number | null = null;
  #input: number | null = null;
  #completion: number | null = null;
  #output: number | null = null;

  /** `null`: it counts no tokens of any kind. */
  get usage(): TokenUsage | null {
    if (!this.#ofTokens) return null;
    return { promptTokens: this.#prompt ?? this.#input, completionTokens: this.#completion ?? this.#output };
  }

  /** Reads the object that opens at `from`; gives the index behind it, or -1 where it is of another form or not whole. `isInner`: it is within another. */
  read(piece: Buffer, from: number, isInner = false): number {
    let at = from;
    do {
      at = this.#readMember(piece, at + 1, isInner);
      if (at === -1) return -1;
    } while (piece[at] === COMMA);
    return piece[at] === CLOSE ? at + 1 : -1;
  }

  #readMember(piece: Buffer, from: number, isInner: boolean): number {
    const nameAt = from + 1;
    const nameEnd = endOfName(piece, nameAt);
    if (piece[from] !== QUOTE || piece[nameEnd] !== QUOTE || piece[nameEnd + 1] !== COLON) return -1;
    const valueAt = nameEnd + 2;
    const countEnd = endOfCount(piece, valueAt);
    if (countEnd > valueAt) {
      this.#note(piece, nameAt, nameEnd, countIn(piece, valueAt, countEnd));
      return countEnd;
    }
    this.#note(piece, nameAt, nameEnd, null);
    if (isAt(piece, valueAt, NULL)) return valueAt + NULL.length;
    return piece[valueAt] === OPEN && !isInner ? this.#readInner(piece, valueAt) : -1;
  }

  #readInner(piece: Buffer, from: number): number {
    const inner = new PlainUsage();
    const end = inner.read(piece, from, true);
    this.#ofTokens ||= inner.#ofTokens;
    return end;
  }

  #note(piece: Buffer, nameAt: number, nameEnd: number, count: number | null): void {
    const length = nameEnd - nameAt;
    if (length === PROMPT.length && isAt(piece, nameAt, PROMPT)) this.#prompt = count;
    else if (length === COMPLETION.length && isAt(piece, nameAt, COMPLETION)) this.#completion = count;
    else if (length === INPUT.length && isAt(piece, nameAt, INPUT)) this.#input = count;
    else if (length === OUTPUT.length && isAt(piece, nameAt, OUTPUT)) this.#output = count;
    this.#ofTokens ||= isAt(piece, nameEnd - TOKENS.length, TOKENS);
  }
}

function endOfName(piece: Buffer, from: number): number {
  for (let at = from; ; at += 1) {
    const byte = piece[at] ?? 0;
    if ((byte < LETTER_A || byte > LETTER_Z) && byte !== UNDERSCORE) return at;
  }
}

/** `from` where no count of JSON begins there, or one of too many digits. */
function endOfCount(piece: Buffer, from: number): number {
  let at = from;
  while (isDigit(piece[at])) at += 1;
  const digits = at - from;
  return digits > MOST_DIGITS || (digits > 1 && piece[from] === DIGIT_0) ? from : at;
}

function countIn(piece: Buffer, from: number, end: number): number {
  let count = 0;
  for (let at = from; at < end; at += 1) count = count * 10 + (piece[at] ?? 0) - DIGIT_0;
  return count;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_9;
}

function isAt(piece: Buffer, at: number, text: Buffer): boolean {
  for (let index = 0; index < text.length; index += 1) if (piece[at + index] !== text[index]) return false;
  return true;
}
