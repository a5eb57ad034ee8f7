import { LineBlock } from './line-block.ts';
import { lineField, RepeatedField } from './line-fields.ts';
import type { FieldName, LineField } from './line-fields.ts';

/** Where lines go. */
export interface LineDestination {
  write(line: string): void;
  /** Where there is one: the block that a line may be appended to in this very turn of the event loop, to be written within a moment. */
  later?(): LineBlock;
}

export interface FlatLogParts {
  readonly destination: LineDestination;
  /** On every line, behind its level and time. */
  readonly base: Readonly<Record<string, string | number>>;
  readonly sieve: (text: string) => string;
  readonly isWritten: (level: 'info' | 'warn') => boolean;
}

const QUOTE = Buffer.from('"');

/**
 * Lines as a logger of `createLogger` writes them, for 0.9 µs instead of 5: their fields are flat, were made ready once (`repeated`, `field`) and have no name
 * under which secrets go. A line is begun, gets its fields and is ended in one turn of the event loop. What is `null` is left out.
 *
 * The sieve for whatever looks like a secret sees every text, a repeated one once for all lines; numbers and ids hold none, and between two texts there are
 * quotes, which none begins on one side and ends on the other side of.
 */
export class FlatLog {
  readonly #parts: FlatLogParts;
  readonly #base: string;
  readonly #message: RepeatedField;
  /** For a destination that has none. */
  readonly #own = new LineBlock();
  #block = this.#own;
  /** What all lines of a level within a millisecond begin with. */
  #head: Uint8Array = Buffer.alloc(0);
  #headLevel = '';
  #headMs = 0;

  constructor(parts: FlatLogParts) {
    this.#parts = parts;
    const base = parts.sieve(JSON.stringify(parts.base)).slice(1, -1);
    this.#base = base === '' ? '' : `,${base}`;
    this.#message = new RepeatedField('msg', parts.sieve, '}\n');
  }

  /** For texts that come again: of the catalog, of closed sets. */
  repeated<Name extends string>(name: FieldName<Name>): RepeatedField {
    return new RepeatedField(name, this.#parts.sieve);
  }

  field<Name extends string>(name: FieldName<Name>): LineField {
    return lineField(name);
  }

  /** False: lines of this level are not written, and none was begun. */
  begin(level: 'info' | 'warn'): boolean {
    const { destination, isWritten } = this.#parts;
    if (!isWritten(level)) return false;
    this.#block = destination.later?.() ?? this.#own;
    this.#block.beginLine();
    const nowMs = Date.now();
    if (nowMs !== this.#headMs || level !== this.#headLevel) {
      this.#headMs = nowMs;
      this.#headLevel = level;
      this.#head = Buffer.from(`{"level":"${level}","time":${nowMs}${this.#base}`);
    }
    this.#block.append(this.#head);
    return true;
  }

  text(field: RepeatedField, value: string | null): void {
    if (value !== null) this.#block.append(field.bytesOf(value));
  }

  /** A text of Berth's own making that no two lines share: letters, digits and dashes, and nobody's secret. */
  id(field: LineField, value: string): void {
    this.#block.append(field.beginText);
    this.#block.appendAscii(value);
    this.#block.append(QUOTE);
  }

  flag(field: LineField, value: boolean): void {
    this.#block.append(value ? field.yes : field.no);
  }

  number(field: LineField, value: number | null): void {
    if (value === null) return;
    this.#block.append(field.begin);
    this.#block.appendNumber(value);
  }

  /** Rounded to one place behind the point. */
  tenths(field: LineField, value: number | null): void {
    if (value === null) return;
    this.#block.append(field.begin);
    this.#block.appendTenths(value);
  }

  /** The message is a fixed phrase. */
  end(message: string): void {
    this.#block.append(this.#message.bytesOf(message));
    this.#block.endLine();
    if (this.#block === this.#own) this.#parts.destination.write(this.#own.take().toString());
  }
}
