import type { Asked, ModelFinder } from './asked.ts';
import { invalidRequest, modelName } from './asked.ts';
import { FormScanner } from './form-scanner.ts';

/** What pydantic, with which vLLM reads forms, takes for true. */
const TRUE_WORDS: ReadonlySet<string> = new Set(['true', '1', 'yes', 'y', 'on', 't']);

/** Finds `model` and `stream` in a form, before its file or behind it. */
export class FormFinder implements ModelFinder {
  readonly #scanner: FormScanner;

  /** Throws `INVALID_REQUEST` for the content type of no form. */
  constructor(contentType: string) {
    this.#scanner = new FormScanner(contentType, ['model', 'stream']);
  }

  get model(): string | undefined {
    return this.#scanner.found.get('model');
  }

  feed(piece: Buffer): void {
    this.#scanner.feed(piece);
  }

  askedByWhole(): null {
    return null;
  }

  asked(ended: boolean): Asked {
    const { found } = this.#scanner;
    if (ended && !this.#scanner.ended) throw invalidRequest('The form could not be read: it ends before its last boundary.');
    return { model: modelName(found.get('model')), stream: TRUE_WORDS.has((found.get('stream') ?? '').toLowerCase()) };
  }
}
