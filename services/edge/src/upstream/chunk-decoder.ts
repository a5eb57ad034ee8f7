import { UpstreamError } from './upstream-error.ts';

const CR = 0x0d;
const LF = 0x0a;
/** A chunk's size and its extensions, and all trailers together, are short; more is no engine's answer. */
const LONGEST_LINE = 4096;
const LONGEST_TRAILERS = 64 * 1024;
/** 2^44 bytes: a longer chunk is nonsense, and the sum stays an exact number. */
const LONGEST_SIZE_DIGITS = 11;

type State = 'size' | 'extension' | 'size-end' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'trailer-end';

/**
 * Takes the chunked transfer coding (RFC 9112 §7.1) off a body that comes in pieces. Chunk extensions and trailers are read over: they are
 * meant for one connection. Chunks that arrive together leave together, so that a burst of small events costs one write.
 */
export class ChunkDecoder {
  #state: State = 'size';
  #digits = 0;
  #left = 0;
  #lineBytes = 0;
  #trailerBytes = 0;
  /** The trailer line that is being read has something in it. */
  #inTrailer = false;
  #done = false;
  #consumed = 0;
  #fault: UpstreamError | null = null;

  /** What came behind the data of the last piece is no chunk; nothing more is read. */
  get fault(): UpstreamError | null {
    return this.#fault;
  }

  /** The last chunk and its trailers have been read. */
  get done(): boolean {
    return this.#done;
  }

  /** How many bytes of the last piece belong to this body; more than these only once it is done. */
  get consumed(): number {
    return this.#consumed;
  }

  /** The data in `piece` between `from` and `end`, copied, up to a fault; `null` when there is none. */
  feed(piece: Buffer, from: number, end: number): Buffer | null {
    if (this.#state === 'size' && this.#digits === 0) {
      const whole = wholeChunk(piece, from, end);
      if (whole !== null) {
        this.#consumed = end;
        return whole;
      }
    }
    const out = Buffer.allocUnsafe(end - from);
    let outLength = 0;
    let at = from;
    while (at < end && !this.#done && this.#fault === null) {
      if (this.#state === 'data') {
        const take = Math.min(this.#left, end - at);
        piece.copy(out, outLength, at, at + take);
        outLength += take;
        at += take;
        this.#left -= take;
        if (this.#left === 0) this.#state = 'data-cr';
      } else {
        this.#control(piece[at] ?? 0);
        at += 1;
      }
    }
    this.#consumed = at;
    return outLength === 0 ? null : out.subarray(0, outLength);
  }

  #control(byte: number): void {
    switch (this.#state) {
      case 'size':
        return this.#size(byte);
      case 'extension':
        this.#lineBytes += 1;
        if (byte === CR) this.#state = 'size-end';
        else if (byte === LF || this.#lineBytes > LONGEST_LINE) return this.#malformed();
        return;
      case 'size-end':
        if (byte !== LF) return this.#malformed();
        this.#state = this.#left === 0 ? 'trailer' : 'data';
        return;
      case 'data-cr':
        if (byte !== CR) return this.#malformed();
        this.#state = 'data-lf';
        return;
      case 'data-lf':
        if (byte !== LF) return this.#malformed();
        this.#state = 'size';
        this.#digits = 0;
        return;
      case 'trailer':
        return this.#trailer(byte);
      case 'trailer-end':
        if (byte !== LF) return this.#malformed();
        if (this.#inTrailer) this.#state = 'trailer';
        else this.#done = true;
        this.#inTrailer = false;
        return;
      case 'data':
    }
  }

  #size(byte: number): void {
    const digit = hexValue(byte);
    if (digit !== -1) {
      this.#left = this.#digits === 0 ? digit : this.#left * 16 + digit;
      this.#digits += 1;
      if (this.#digits > LONGEST_SIZE_DIGITS) return this.#malformed();
      return;
    }
    if (this.#digits === 0) return this.#malformed();
    this.#lineBytes = 0;
    if (byte === CR) this.#state = 'size-end';
    else if (byte === 0x3b || byte === 0x20 || byte === 0x09) this.#state = 'extension';
    else return this.#malformed();
  }

  #malformed(): void {
    this.#fault = new UpstreamError('malformed', "The engine's chunked body cannot be read.");
  }

  #trailer(byte: number): void {
    this.#trailerBytes += 1;
    if (byte === LF || this.#trailerBytes > LONGEST_TRAILERS) return this.#malformed();
    if (byte === CR) this.#state = 'trailer-end';
    else this.#inTrailer = true;
  }
}

function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * The data of the one chunk, without extensions, that the bytes between `from` and `end` are, as an engine sends one event of a stream; `null`
 * where they are anything else.
 */
function wholeChunk(bytes: Buffer, from: number, end: number): Buffer | null {
  let size = 0;
  let at = from;
  for (let digit = hexValue(bytes[at] ?? 0); digit !== -1 && at - from < LONGEST_SIZE_DIGITS; digit = hexValue(bytes[at] ?? 0)) {
    size = size * 16 + digit;
    at += 1;
  }
  const first = at + 2;
  const last = first + size;
  if (size === 0 || last + 2 !== end) return null;
  if (bytes[at] !== CR || bytes[at + 1] !== LF || bytes[last] !== CR || bytes[last + 1] !== LF) return null;
  const data = Buffer.allocUnsafe(size);
  bytes.copy(data, 0, first, last);
  return data;
}
