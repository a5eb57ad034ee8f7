import { inspect } from 'node:util';

const REDACTED = '[redacted]';

/**
 * Text that must not be seen in a log, an error, an API answer or a dump. Every usual way to print it gives `[redacted]`; only
 * `reveal()` gives the text, so its uses can be found by that word. Two secrets are never told apart by printing.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    Object.freeze(this);
  }

  /** The text itself. Call it where the secret is handed to the system that needs it, and nowhere else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

const SECRET_NAME = /(^|_)(TOKEN|KEY|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)$|(^|_)(SECRET|PASSWORD|CREDENTIALS?)_/i;
const URL_WITH_PASSWORD = /:\/\/[^/\s@]*:[^/\s@]+@/;
const HUGGING_FACE_TOKEN = /^hf_[A-Za-z0-9]{8,}$/;

/**
 * Whether a variable is to be redacted: by its name (`HF_TOKEN`, `…_API_KEY`, `…PASSWORD…`) or because its value carries a password in
 * a URL or is a Hugging Face token. `TOKEN` counts at the end only: `…_MAX_TOKENS_…` is a number that changes memory.
 */
export function looksSecret(name: string, value: string): boolean {
  return SECRET_NAME.test(name) || URL_WITH_PASSWORD.test(value) || HUGGING_FACE_TOKEN.test(value);
}

/** The text of a value that may be wrapped. */
export function revealed(value: string | Secret): string {
  return value instanceof Secret ? value.reveal() : value;
}
