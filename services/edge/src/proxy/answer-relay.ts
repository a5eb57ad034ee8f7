import { errorFrame } from '../errors/error-answer.ts';
import type { StreamFault } from '../errors/error-answer.ts';
import { linesOf, withoutHeader } from '../http/header-lines.ts';
import { withStreamHeaders } from '../http/stream-headers.ts';
import { AnswerMeter } from '../telemetry/answer-meter.ts';
import type { AnswerHead } from '../upstream/answer-head.ts';
import type { ClientAnswer } from './client-answer.ts';
import type { Dialect } from './engine-routes.ts';
import { EventStreamWatch } from './event-stream-watch.ts';
import { ModelRename } from './rename-model.ts';

/** Most of an engine's error body that is read to be told again inside a stream. */
const LONGEST_ERROR_BYTES = 64 * 1024;

export interface RelayOptions {
  readonly answer: ClientAnswer;
  readonly dialect: Dialect;
  /** Names in the answer that change; `null`: not a byte is touched. */
  readonly rename: { readonly from: string; readonly to: string } | null;
  /** Added to the engine's head, flat. */
  readonly extraHeaders: readonly string[];
  /** Called when the engine's head has come. */
  readonly onHead?: (() => void) | undefined;
  /** Called when the first bytes of its body have come. */
  readonly onFirstPiece?: (() => void) | undefined;
}

/**
 * Carries one engine answer to the client. Status, headers and bytes go through as they come (a stream gets the headers that keep proxies
 * from holding it back, and no length: an error frame may follow), but where the client already has a `200` and heartbeats: then an event
 * stream is joined to them, and any other answer is told as an error of the stream.
 */
export class AnswerRelay {
  readonly meter = new AnswerMeter();
  readonly #answer: ClientAnswer;
  readonly #options: RelayOptions;
  #rename: ModelRename | null = null;
  #watch: EventStreamWatch | null = null;
  #encoded = false;
  /** Pieces of an answer that cannot be joined to the stream that the client reads. */
  #collected: Buffer[] | null = null;
  #collectedBytes = 0;
  #status = 0;
  #lastDataAtMs = 0;

  constructor(options: RelayOptions) {
    this.#answer = options.answer;
    this.#options = options;
  }

  /** The engine's own status; 0 before its head. */
  get engineStatus(): number {
    return this.#status;
  }

  /** An error frame of the engine's own passed by. */
  get sawErrorFrame(): boolean {
    return this.#watch?.sawError === true;
  }

  /** When more of the answer last came, by `performance.now()`; comments of an event stream do not count. */
  get lastDataAtMs(): number {
    return this.#lastDataAtMs;
  }

  begin(head: AnswerHead): void {
    const { rename, extraHeaders } = this.#options;
    const { status, statusText, encoded } = head;
    const isEventStream = head.contentType.startsWith('text/event-stream');
    this.#status = status;
    this.#encoded = encoded;
    this.meter.begin(head);
    this.#lastDataAtMs = performance.now();
    this.#options.onHead?.();
    if (this.#answer.headSent && !(isEventStream && status === 200 && !encoded)) {
      this.#collected = [];
      return;
    }
    if (rename !== null && !encoded) this.#rename = new ModelRename(rename.from, rename.to);
    if (isEventStream) this.#watch = new EventStreamWatch();
    if (this.#answer.headSent) return;
    // A stream may get an error frame at its end.
    const keepsLength = rename === null && !isEventStream;
    let headers = keepsLength ? head.headers : withoutHeader(head.headers, 'content-length');
    if (isEventStream) headers = withStreamHeaders(headers);
    if (extraHeaders.length > 0) headers += linesOf(extraHeaders);
    const hasLength = head.framing.kind === 'length' && keepsLength;
    this.#answer.begin({ status, statusText, headers, hasLength, hasDate: head.dated }, isEventStream);
  }

  /** `false`: wait for the client to catch up. */
  write(piece: Buffer): boolean {
    this.#measure(piece);
    if (this.#watch === null || this.#watch.feed(piece)) this.#lastDataAtMs = performance.now();
    if (this.#collected !== null) {
      this.#collectedBytes += piece.length;
      if (this.#collectedBytes <= LONGEST_ERROR_BYTES) this.#collected.push(piece);
      return true;
    }
    if (this.#rename === null) return this.#answer.write(piece);
    const renamed = this.#rename.feed(piece);
    return renamed.length === 0 || this.#answer.write(renamed);
  }

  /** `piece`: the last bytes, where the engine's end came together with some. */
  end(piece: Buffer | null = null): void {
    if (piece !== null && this.#collected === null && this.#rename === null) {
      this.#measure(piece);
      this.#watch?.feed(piece);
      this.#answer.end(piece);
      return;
    }
    if (piece !== null) this.write(piece);
    if (this.#collected !== null) {
      this.#answer.write(errorFrame(engineFault(this.#status, Buffer.concat(this.#collected)), this.#options.dialect));
    } else {
      this.#flushRename();
    }
    this.#answer.end();
  }

  /** Ends a begun answer that cannot be completed, in the way its client notices. An engine that has told its own error has done that already. */
  fail(fault: StreamFault): void {
    if (this.#watch?.sawError === true && this.#watch.betweenEvents) return this.end();
    if ((this.#watch === null && this.#collected === null) || this.#encoded) return this.#answer.breakOff();
    if (this.#watch !== null) {
      this.#flushRename();
      if (!this.#watch.betweenEvents) this.#answer.write('\n\n');
    }
    this.#answer.write(errorFrame(fault, this.#options.dialect));
    this.#answer.end();
  }

  #measure(piece: Buffer): void {
    if (this.meter.firstByteAtMs === null) this.#options.onFirstPiece?.();
    this.meter.feed(piece);
  }

  #flushRename(): void {
    const rest = this.#rename?.flush();
    if (rest !== undefined && rest.length > 0) this.#answer.write(rest);
  }
}

/** An engine's answer that is no stream, in the words of a stream error. Its own words are kept where it follows OpenAI's form. */
function engineFault(status: number, body: Buffer): StreamFault {
  const fallback: StreamFault = {
    status,
    message: `The engine answered with status ${status} and no event stream.`,
    type: status < 500 ? 'invalid_request_error' : 'server_error',
    param: null,
    code: status,
  };
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    const error = field(parsed, 'error');
    const message = field(error, 'message') ?? field(parsed, 'detail');
    if (typeof message !== 'string') return fallback;
    const [type, param, code] = [field(error, 'type'), field(error, 'param'), field(error, 'code')];
    return {
      status,
      message,
      type: typeof type === 'string' ? type : fallback.type,
      param: typeof param === 'string' ? param : null,
      code: typeof code === 'string' || typeof code === 'number' ? code : status,
    };
  } catch {
    return fallback;
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
