import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';

/** What a scripted engine does with a request whose body contains `script:NAME`. */
export type Script =
  /** Answers with the SHA-256 of the body that it got, as its text. */
  | 'echo'
  /** Begins a JSON answer and closes the connection in the middle of it. */
  | 'cut-body'
  /** Streams a word and closes the connection. */
  | 'break-stream'
  /** Streams a word, then an error in the form that vLLM has for the route. */
  | 'error-frame'
  /** Streams a word, then nothing but comments. */
  | 'fall-silent'
  /** 429 with `Retry-After`. */
  | 'rate-limit';

/** What a client writes to have a script played. */
export function playing(script: Script): string {
  return `script:${script}`;
}

export const SCRIPTED_ERROR = 'The scripted engine gives up.';

type Dialect = 'chat' | 'completions' | 'responses' | 'messages';

const ROUTES: Readonly<Record<string, Dialect>> = {
  '/v1/chat/completions': 'chat',
  '/v1/completions': 'completions',
  '/v1/responses': 'responses',
  '/v1/messages': 'messages',
};
const MODEL = 'scripted';

/** `node scripted-engine.ts PORT`: an engine that fails on request, on the routes that generate; all its other routes say 200. */
function main(port: number): void {
  createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const dialect = ROUTES[request.url ?? ''];
      if (dialect === undefined) return response.end('{}');
      const body = Buffer.concat(pieces);
      const script = /script:([a-z-]+)/.exec(body.toString('utf8'))?.[1] as Script | undefined;
      play(script ?? 'echo', dialect, response, createHash('sha256').update(body).digest('hex'));
    });
  }).listen(port, '127.0.0.1');
  process.on('SIGTERM', () => process.exit(0));
}

function play(script: Script, dialect: Dialect, response: ServerResponse, hash: string): void {
  const whole = JSON.stringify(answerOf(dialect, hash));
  const json = { 'content-type': 'application/json', 'content-length': whole.length };
  const stream = (frames: string, then: () => void): void => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(frames, then);
  };
  const word = openingOf(dialect).map(frameOf).join('');
  switch (script) {
    case 'echo':
      return void response.writeHead(200, json).end(whole);
    case 'cut-body':
      return void response.writeHead(200, json).write(whole.slice(0, whole.length / 2), () => response.socket?.resetAndDestroy());
    case 'break-stream':
      return stream(word, () => response.socket?.resetAndDestroy());
    case 'error-frame':
      return stream(word + errorOf(dialect), () => response.end());
    case 'fall-silent':
      return stream(word, () => setInterval(() => response.write(': keep-alive\n\n'), 50));
    case 'rate-limit': {
      const error = { message: SCRIPTED_ERROR, type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' };
      const body = dialect === 'messages' ? { type: 'error', error } : { error };
      return void response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '1' }).end(JSON.stringify(body));
    }
  }
}

/** A frame of data; by name where the event has a type. */
function frameOf(event: object): string {
  const name = 'type' in event ? `event: ${String(event.type)}\n` : '';
  return `${name}data: ${JSON.stringify(event)}\n\n`;
}

/** As vLLM 0.32.0 writes them: messages and responses by name, the others with `[DONE]` behind. */
function errorOf(dialect: Dialect): string {
  if (dialect === 'messages') return frameOf({ type: 'error', error: { type: 'internal_error', message: SCRIPTED_ERROR } });
  if (dialect === 'responses') return frameOf({ type: 'error', code: '500', message: SCRIPTED_ERROR, param: null, sequence_number: 5 });
  return `data: ${JSON.stringify({ error: { message: SCRIPTED_ERROR, type: 'InternalServerError', param: null, code: 500 } })}\n\ndata: [DONE]\n\n`;
}

function answerOf(dialect: Dialect, text: string): object {
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const head = { id: 'answer-1', created: 1, model: MODEL };
  switch (dialect) {
    case 'chat':
      return {
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
        usage,
      };
    case 'completions':
      return { ...head, object: 'text_completion', choices: [{ index: 0, text, logprobs: null, finish_reason: 'stop' }], usage };
    case 'responses':
      return responseOf('completed', [messageOf([{ type: 'output_text', text, annotations: [] }])]);
    case 'messages':
      return messageHead([{ type: 'text', text }], 'end_turn');
  }
}

/** The first frames of a stream, up to its first word. */
function openingOf(dialect: Dialect): readonly object[] {
  const head = { id: 'answer-1', created: 1, model: MODEL };
  const place = { item_id: 'msg_1', output_index: 0, content_index: 0 };
  switch (dialect) {
    case 'chat':
      return [{ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'word' }, finish_reason: null }] }];
    case 'completions':
      return [{ ...head, object: 'text_completion', choices: [{ index: 0, text: 'word', finish_reason: null }] }];
    case 'responses':
      return [
        { type: 'response.created', sequence_number: 0, response: responseOf('in_progress', []) },
        { type: 'response.output_item.added', sequence_number: 1, output_index: 0, item: messageOf([]) },
        {
          type: 'response.content_part.added',
          sequence_number: 2,
          ...place,
          part: { type: 'output_text', text: '', annotations: [] },
        },
        { type: 'response.output_text.delta', sequence_number: 3, ...place, delta: 'word', logprobs: [] },
      ];
    case 'messages':
      return [
        { type: 'message_start', message: messageHead([], null) },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'word' } },
      ];
  }
}

function responseOf(status: string, output: readonly object[]): object {
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  return {
    id: 'resp_1',
    object: 'response',
    created_at: 1,
    model: MODEL,
    status,
    output,
    usage,
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
  };
}

function messageOf(content: readonly object[]): object {
  return { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content };
}

function messageHead(content: readonly object[], stopReason: string | null): object {
  const usage = { input_tokens: 1, output_tokens: 1 };
  return { id: 'msg_1', type: 'message', role: 'assistant', model: MODEL, content, stop_reason: stopReason, stop_sequence: null, usage };
}

if (import.meta.main) main(Number(process.argv[2]));
