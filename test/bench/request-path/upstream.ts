import { createServer, type Socket } from 'node:net';
import type { AskedAnswer } from './chat-request.ts';
import { monotonicNs, stampOf } from './event-stamp.ts';
import type { UpstreamReport } from './upstream-report.ts';

/**
 * `node upstream.ts PORT`: an engine whose answers are paced as each request asks. It writes to raw sockets, stamps every event with the time of
 * its writing, and tells at `GET /bench` which answers are under way, how much of each was taken, and when those were cut that nobody wanted any
 * more. Any other `GET` is answered 200.
 */
const HEAD_END = Buffer.from('\r\n\r\n');
const STREAM_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n';
const STREAM_END = 'e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n';
const COMPLETION = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'y'.repeat(250) }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 211, completion_tokens: 64, total_tokens: 275 },
});
const CONTENT = 'z'.repeat(80);
/** Events that are written at once where there is no pace. */
const BLOCK_EVENTS = 64;
/** A paced event is left out while its reader is that far behind. */
const MOST_UNSENT_BYTES = 1024 * 1024;

const answers = new Map<string, Answer>();
const cutAtNs = new Map<string, number>();

class Answer {
  readonly #asked: AskedAnswer;
  readonly #socket: Socket;
  readonly #takenBefore: number;
  #sentEvents = 0;
  #dueNs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(asked: AskedAnswer, socket: Socket, stream: boolean) {
    this.#asked = asked;
    this.#socket = socket;
    this.#takenBefore = socket.bytesWritten - socket.writableLength;
    answers.set(asked.id, this);
    const begin = (): void => (stream ? this.#beginStream() : this.#end(jsonAnswer(COMPLETION)));
    if (asked.firstByteMs > 0) this.#timer = setTimeout(begin, asked.firstByteMs);
    else begin();
  }

  /** Bytes that the system has taken from this program. */
  get takenBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength - this.#takenBefore;
  }

  /** Writes the paced events that are due. */
  writeDue(nowNs: number): void {
    const { events, paceMs } = this.#asked;
    if (paceMs === 0 || this.#dueNs === 0) return;
    while (this.#dueNs <= nowNs) {
      if (this.#sentEvents === events) return this.#end(STREAM_END);
      this.#dueNs += paceMs * 1e6;
      if (this.#socket.writableLength < MOST_UNSENT_BYTES) this.#socket.write(eventNow(), 'latin1');
      this.#sentEvents += 1;
    }
  }

  /** The connection is over. An answer that is complete already is none of this. */
  cut(): void {
    if (answers.get(this.#asked.id) !== this) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    cutAtNs.set(this.#asked.id, monotonicNs());
    answers.delete(this.#asked.id);
  }

  #beginStream(): void {
    this.#dueNs = monotonicNs();
    this.#socket.write(STREAM_HEAD);
    if (this.#asked.paceMs > 0) this.writeDue(this.#dueNs);
    else this.#writeFreely();
  }

  #writeFreely(): void {
    const block = eventNow().repeat(BLOCK_EVENTS);
    while (!this.#socket.destroyed && this.#sentEvents < this.#asked.events) {
      this.#sentEvents += BLOCK_EVENTS;
      if (!this.#socket.write(block, 'latin1')) return void this.#socket.once('drain', () => this.#writeFreely());
    }
    if (!this.#socket.destroyed) this.#end(STREAM_END);
  }

  #end(text: string): void {
    answers.delete(this.#asked.id);
    this.#socket.write(text);
  }
}

function serve(socket: Socket): void {
  let received: Buffer = Buffer.alloc(0);
  let present: Answer | null = null;
  const over = (): void => {
    present?.cut();
    socket.destroy();
  };
  socket.on('data', (piece: Buffer) => {
    received = received.length === 0 ? piece : Buffer.concat([received, piece]);
    for (let request = firstRequest(received); request !== null; request = firstRequest(received)) {
      received = received.subarray(request.size);
      if (request.body === '') {
        socket.write(jsonAnswer(request.target === '/bench' ? JSON.stringify(report()) : '{}'));
        continue;
      }
      const { bench, stream } = JSON.parse(request.body) as { readonly bench: AskedAnswer; readonly stream: boolean };
      present = new Answer(bench, socket, stream);
    }
  });
  socket.on('end', over);
  socket.on('error', over);
  socket.on('close', over);
}

/** Bodies come with a length from every hop that is measured. */
function firstRequest(bytes: Buffer): { readonly target: string; readonly body: string; readonly size: number } | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const length = Number(/\r\ncontent-length: *(\d+)/iu.exec(head)?.[1] ?? 0);
  const from = headEnd + HEAD_END.length;
  if (bytes.length < from + length) return null;
  return { target: head.split(' ', 2)[1] ?? '', body: bytes.toString('utf8', from, from + length), size: from + length };
}

function report(): UpstreamReport {
  return {
    active: answers.size,
    takenBytes: Object.fromEntries([...answers].map(([id, answer]) => [id, answer.takenBytes])),
    cutAtNs: Object.fromEntries(cutAtNs),
  };
}

function eventNow(): string {
  const event = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk",${stampOf(monotonicNs())},"choices":[{"index":0,"delta":{"content":"${CONTENT}"}}]}\n\n`;
  return `${event.length.toString(16)}\r\n${event}\r\n`;
}

function jsonAnswer(body: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

setInterval(() => {
  const nowNs = monotonicNs();
  for (const answer of answers.values()) answer.writeDue(nowNs);
}, 1);
createServer({ noDelay: true }, serve).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 8192 });
