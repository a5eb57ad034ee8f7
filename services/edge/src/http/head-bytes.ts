const [CR, LF] = [0x0d, 0x0a];
/** A line break and an empty line. */
export const HEAD_END_LENGTH = 4;

/** Whether the bytes from `from` to `end` are the wanted ones, as far as they tell. */
export function beginsLike(bytes: Buffer, from: number, end: number, wanted: Buffer): boolean {
  const length = Math.min(wanted.length, end - from);
  for (let at = 0; at < length; at += 1) if (bytes[from + at] !== wanted[at]) return false;
  return true;
}

/**
 * Where the first line break stands that has an empty line behind it; -1 where there is none yet. Half as costly as `indexOf`, which would
 * need the bytes cut at `end`: most of them are no line break, and tell by themselves that none of the next four ends the head.
 */
export function headEndIn(bytes: Buffer, from: number, end: number): number {
  for (let at = from + HEAD_END_LENGTH - 1; at < end;) {
    const byte = bytes[at];
    if (byte !== LF) at += byte === CR ? 1 : HEAD_END_LENGTH;
    else if (bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at - 3;
    else at += 2;
  }
  return -1;
}
