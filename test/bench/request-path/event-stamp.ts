/** Nanoseconds of the system's monotonic clock, which all processes of a machine share (Linux: `CLOCK_MONOTONIC`). */
export function monotonicNs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

const MARK = '"sent_ns":"';
const DIGITS = 19;

/** The field that tells when an event was written. Always of the same length. */
export function stampOf(ns: number): string {
  return `${MARK}${String(ns).padStart(DIGITS, '0')}"`;
}

/** Finds the stamps in pieces of a stream, also in those that are split between two. */
export class StampReader {
  #rest = '';

  /** What the stamps say that came to their end with this piece, in ns. */
  feed(piece: Buffer): readonly number[] {
    const text = this.#rest + piece.toString('latin1');
    const stamps: number[] = [];
    let taken = 0;
    for (let at = text.indexOf(MARK); at !== -1; at = text.indexOf(MARK, taken)) {
      const from = at + MARK.length;
      if (from + DIGITS > text.length) break;
      taken = from + DIGITS;
      stamps.push(Number(text.slice(from, taken)));
    }
    // No more than a stamp whose end is yet to come.
    this.#rest = text.slice(Math.max(taken, text.length - MARK.length - DIGITS));
    return stamps;
  }
}
