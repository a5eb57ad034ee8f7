import type { SecretField } from './redact.ts';

/** Values of a field that are kept ready. Should there be more, they begin anew. */
const MOST_VALUES = 1000;

/** A field that is a number, a yes or no, or unlike in every line: its name is kept ready, with what may follow. */
export interface LineField {
  /** `,"name":` */
  readonly begin: Uint8Array;
  /** `,"name":"` */
  readonly beginText: Uint8Array;
  /** `,"name":true` */
  readonly yes: Uint8Array;
  /** `,"name":false` */
  readonly no: Uint8Array;
}

/** A name that may stand in a flat line: none under which secrets go. */
export type FieldName<Name extends string> = Lowercase<Name> extends SecretField ? never : Name;

/**
 * A field whose values repeat from line to line: names of the catalog, routes, codes. Each value is escaped and passes the sieve once, and is then kept ready
 * with the name of its field.
 */
export class RepeatedField {
  readonly #name: string;
  readonly #sieve: (text: string) => string;
  readonly #end: string;
  readonly #ready = new Map<string, Uint8Array>();

  /** `end` follows each value. */
  constructor(name: string, sieve: (text: string) => string, end = '') {
    this.#name = name;
    this.#sieve = sieve;
    this.#end = end;
  }

  /** `,"name":"value"` */
  bytesOf(value: string): Uint8Array {
    return this.#ready.get(value) ?? this.#add(value);
  }

  #add(value: string): Uint8Array {
    if (this.#ready.size === MOST_VALUES) this.#ready.clear();
    const bytes = Buffer.from(`,${JSON.stringify(this.#name)}:${this.#sieve(JSON.stringify(value))}${this.#end}`);
    this.#ready.set(value, bytes);
    return bytes;
  }
}

export function lineField(name: string): LineField {
  const begin = `,${JSON.stringify(name)}:`;
  const before = (value: string): Uint8Array => Buffer.from(begin + value);
  return { begin: before(''), beginText: before('"'), yes: before('true'), no: before('false') };
}
