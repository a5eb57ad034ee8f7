/** As much as a pipe holds. */
const BLOCK_BYTES = 64 * 1024;
/** Digits of numbers up to here are got by integer arithmetic, without a string and in half of the time. */
const LARGEST_QUICK = 999_999_999;
/** Of such a number with a place behind the point, at most. */
const QUICK_BYTES = 11;
const DIGIT_0 = 0x30;
const POINT = 0x2e;

/**
 * Log lines as bytes, one behind the other. A line is begun, appended to piece by piece and ended; while it has no end it is no part of the block. Bytes and
 * no strings: a string of pieces has to be flattened, which costs 18 ns for each of them, and the garbage collector copies it around until it is written.
 */
export class LineBlock {
  #bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  /** End of the last whole line, and of what follows it. */
  #length = 0;
  #at = 0;

  /** Whether lines of so many bytes stay within what is written at once. Larger ones are taken too. */
  hasRoom(bytes: number): boolean {
    return this.#length + bytes <= BLOCK_BYTES;
  }

  beginLine(): void {
    this.#at = this.#length;
  }

  endLine(): void {
    this.#length = this.#at;
  }

  append(piece: Uint8Array): void {
    this.#reserve(piece.length);
    this.#bytes.set(piece, this.#at);
    this.#at += piece.length;
  }

  appendText(text: string): void {
    this.#reserve(Buffer.byteLength(text));
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** `text` is ASCII. */
  appendAscii(text: string): void {
    this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at);
  }

  /** As JSON writes it. */
  appendNumber(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value <= LARGEST_QUICK) this.#appendDigits(value);
    else this.appendText(JSON.stringify(value));
  }

  /** As JSON writes it, rounded to one place behind the point. */
  appendTenths(value: number): void {
    const tenths = Math.round(value * 10);
    if (!(tenths >= 0 && tenths <= LARGEST_QUICK)) return this.appendText(JSON.stringify(tenths / 10));
    const whole = (tenths / 10) | 0;
    this.#appendDigits(whole);
    const last = tenths - whole * 10;
    if (last === 0) return;
    this.#bytes[this.#at] = POINT;
    this.#bytes[this.#at + 1] = DIGIT_0 + last;
    this.#at += 2;
  }

  /** All whole lines; they are no longer in the block then. */
  take(): Buffer {
    const lines = Buffer.from(this.#bytes.subarray(0, this.#length));
    if (this.#bytes.length > BLOCK_BYTES) this.#bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#length = 0;
    return lines;
  }

  #appendDigits(value: number): void {
    this.#reserve(QUICK_BYTES);
    const bytes = this.#bytes;
    const end = this.#at + digitsOf(value);
    let rest = value;
    for (let at = end - 1; at >= this.#at; at -= 1) {
      const next = (rest / 10) | 0;
      bytes[at] = DIGIT_0 + rest - next * 10;
      rest = next;
    }
    this.#at = end;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Of an integer from 0 to `LARGEST_QUICK`. */
function digitsOf(value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits += 1;
  return digits;
}
