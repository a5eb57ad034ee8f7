import type { Asked, ModelFinder } from './asked.ts';
import { invalidRequest, modelName } from './asked.ts';
import { TopLevelScanner } from './top-level-scanner.ts';

/** Bodies up to this size are parsed; larger ones are scanned, which costs less on long texts and images. */
const PARSED_BYTES = 64 * 1024;
const BYTE_ORDER_MARK = 0xfeff;

/**
 * Finds `model` and `stream` in a JSON object as the engine's reader does (Python's `json`): the last of repeated members wins, a byte order
 * mark is skipped, and `NaN` and `Infinity` are numbers.
 */
export class JsonFinder implements ModelFinder {
  #scanner: TopLevelScanner | null = null;

  get model(): string | null | undefined {
    const found = this.#scanner?.found;
    if (found === undefined) return undefined;
    const model = found.get('model');
    if (typeof model === 'string') return model;
    return found.has('model') ? null : undefined;
  }

  feed(piece: Buffer): void {
    this.#scanner ??= new TopLevelScanner(['model', 'stream']);
    this.#scanner.feed(piece);
    if (this.#scanner.notAnObject) throw invalidRequest('The body is not a JSON object.');
  }

  askedByWhole(body: Buffer): Asked | null {
    if (body.length > PARSED_BYTES) return null;
    const request = parseObject(body);
    return { model: modelName(request['model']), stream: request['stream'] === true };
  }

  asked(): Asked {
    const found = this.#scanner?.found;
    if (this.model === null && found?.get('model') === undefined) {
      throw invalidRequest('`model` is not a string. Set it to one of GET /v1/models.', 'model');
    }
    return { model: modelName(found?.get('model')), stream: found?.get('stream') === true };
  }
}

function parseObject(bytes: Buffer): Readonly<Record<string, unknown>> {
  const text = bytes.toString('utf8');
  const value = parse(text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidRequest('The body is not a JSON object.');
  return value as Readonly<Record<string, unknown>>;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    try {
      return JSON.parse(withoutPythonNumbers(text));
    } catch {
      throw invalidRequest(`The body could not be parsed as JSON: ${error instanceof SyntaxError ? reasonOf(error) : 'malformed'}.`);
    }
  }
}

/** Python's `json` writes and reads three numbers that JSON does not have. Strings are matched so that they are left alone. */
function withoutPythonNumbers(text: string): string {
  return text.replace(/"(?:[^"\\]|\\[^])*(?:"|\\?$)|NaN|-?Infinity/gu, (token) => (token.startsWith('"') ? token : '0'));
}

/** V8 quotes the text it stumbled over; what a client wrote stays out of messages, so out of logs. */
function reasonOf(error: SyntaxError): string {
  const position = /position (\d+)/u.exec(error.message)?.[1];
  if (position !== undefined) return `unexpected text at byte ${position}`;
  return error.message.startsWith('Unexpected end') ? 'unexpected end' : 'malformed';
}
