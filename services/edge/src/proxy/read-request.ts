import { OperationalError } from '@berth/core';
import { multipartFields } from './multipart-fields.ts';
import type { RequestBody } from './request-body.ts';
import { TopLevelScanner } from './top-level-scanner.ts';

/** Bodies up to this size are parsed; larger ones are scanned, which costs less on long texts and images. */
const PARSED_BYTES = 64 * 1024;

/** What a request says of its routing. */
export interface Asked {
  readonly model: string;
  readonly stream: boolean;
}

/** Reads what is needed of a JSON body to know its model; `stream` is known once the body has ended. */
export class JsonRequestReader {
  readonly #body: RequestBody;
  readonly #keepBytes: number;
  #scanner: TopLevelScanner | null = null;

  constructor(body: RequestBody, keepBytes: number) {
    this.#body = body;
    this.#keepBytes = keepBytes;
  }

  /**
   * Reads a small body whole, a large one until its model is known. Throws `INVALID_REQUEST` for a body that is no JSON object or names
   * no model, and as `RequestBody.read` does.
   */
  async begin(): Promise<Asked> {
    await this.#body.read((piece) => this.#enough(piece));
    return this.#asked();
  }

  /** Reads the rest; `take` is told of every piece, and ends the reading by throwing. */
  async finish(take: (bytes: number) => void): Promise<Asked> {
    if (this.#body.ended) return this.#asked();
    const scanner = this.#scan();
    await this.#body.read((piece) => {
      take(piece.length);
      scanner.feed(piece);
      return false;
    });
    return this.#asked();
  }

  #enough(piece: Buffer): boolean {
    if (this.#scanner === null) {
      if (this.#body.bytesRead <= this.#keepBytes) return false;
      this.#scan();
    } else {
      this.#scanner.feed(piece);
    }
    return this.#scanner?.found.has('model') === true;
  }

  #scan(): TopLevelScanner {
    if (this.#scanner !== null) return this.#scanner;
    this.#scanner = new TopLevelScanner(['model', 'stream']);
    for (const piece of this.#body.pieces) this.#scanner.feed(piece);
    return this.#scanner;
  }

  #asked(): Asked {
    const whole = this.#body.bytesRead <= PARSED_BYTES ? this.#body.whole : null;
    if (whole !== null) {
      const request = parseObject(whole);
      return { model: modelName(request['model']), stream: request['stream'] === true };
    }
    const scanner = this.#scan();
    if (scanner.notAnObject) throw invalid('The body is not a JSON object.', null);
    return { model: modelName(scanner.found.get('model')), stream: scanner.found.get('stream') === true };
  }
}

/** Reads a whole multipart form. Throws `INVALID_REQUEST` when it is none or names no model, and as `RequestBody.read` does. */
export async function readMultipart(body: RequestBody, contentType: string): Promise<Asked> {
  await body.read();
  const fields = multipartFields(
    body.pieces.length === 1 ? (body.pieces[0] ?? Buffer.alloc(0)) : Buffer.concat([...body.pieces]),
    contentType,
  );
  if (fields === null)
    throw invalid('The body is not multipart/form-data with a boundary. Send the file and `model` as form fields.', null);
  return { model: modelName(fields.get('model')), stream: fields.get('stream') === 'true' };
}

/** The model of a route without a body. Throws `INVALID_REQUEST` when the query names none. */
export function readQuery(query: string): Asked {
  const parameters = new URLSearchParams(query);
  return { model: modelName(parameters.get('model')), stream: parameters.get('stream') === 'true' };
}

function parseObject(text: Buffer): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch (error) {
    throw invalid(`The body could not be parsed as JSON: ${error instanceof SyntaxError ? reasonOf(error) : 'malformed'}.`, null);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('The body is not a JSON object.', null);
  return value as Readonly<Record<string, unknown>>;
}

/** V8 quotes the text it stumbled over; what a client wrote stays out of messages, so out of logs. */
function reasonOf(error: SyntaxError): string {
  const position = /position (\d+)/u.exec(error.message)?.[1];
  if (position !== undefined) return `unexpected text at byte ${position}`;
  return error.message.startsWith('Unexpected end') ? 'unexpected end' : 'malformed';
}

function modelName(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(
    value === undefined || value === null || value === ''
      ? 'The request names no model. Set `model` to one of GET /v1/models.'
      : '`model` is not a string. Set it to one of GET /v1/models.',
    'model',
  );
}

function invalid(message: string, param: string | null): OperationalError {
  return new OperationalError({ code: 'INVALID_REQUEST', message, retryable: false, details: { param } });
}
