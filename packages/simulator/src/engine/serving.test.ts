import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTemporaryHost, eventually, oneGpu, small } from '../testing/temporary-host.ts';
import type { TemporaryHost } from '../testing/temporary-host.ts';
import { startEngineProcess } from './start-engine-process.ts';
import type { EngineProcess } from './start-engine-process.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let host: TemporaryHost;
let engine: EngineProcess;
const messages = [{ role: 'user', content: 'hello' }];

beforeAll(async () => {
  // An endless stream outlasts what a busy machine makes of a few requests.
  host = createTemporaryHost(oneGpu, { '*': { ...small, tokenDelayMs: 10 } });
  const args = ['org/small', '--served-model-name', 'tiny', 'alias', '--kv-cache-memory-bytes', '1G', '--gpu-memory-utilization', '0.02'];
  engine = await startEngineProcess({
    host,
    args: [...args, '--max-model-len', '512', '--max-num-seqs', '2', '--max-num-queued-reqs', '3'],
  });
  await engine.ready();
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  host[Symbol.dispose]();
});

async function post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return await fetch(engine.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text, ...init });
}

async function gauge(name: string): Promise<number> {
  const text = await (await fetch(`${engine.url}/metrics`)).text();
  return Number(new RegExp(`^vllm:${name}\\{[^}]*\\} (.*)$`, 'm').exec(text)?.[1]);
}

/** An endless stream and its end by the client. */
async function openEndless(): Promise<{ close: () => void }> {
  const abort = new AbortController();
  const body = { messages, stream: true, max_tokens: 500, ignore_eos: true };
  await post('/v1/chat/completions', body, { signal: abort.signal });
  return { close: () => abort.abort() };
}

describe('a serving engine', () => {
  it('answers a chat under its first name, with its id from X-Request-Id, and says that it is simulated', async () => {
    const headers = { 'content-type': 'application/json', 'x-request-id': 'abc-123' };
    const response = await post('/v1/chat/completions', { model: 'alias', messages }, { headers });
    expect(response.headers.get('server')).toBe('uvicorn');
    expect(response.headers.get('connection')).toBeNull();
    const answer = (await response.json()) as Record<string, unknown>;
    expect(answer).toMatchObject({ id: 'chatcmpl-abc-123', model: 'tiny', system_fingerprint: 'simulated' });
    expect(answer['choices']).toMatchObject([
      { message: { content: expect.stringContaining('simulated engine') as string }, finish_reason: 'stop' },
    ]);
  });

  it('streams frames in the recorded form, with usage and fingerprint on the last one only', async () => {
    const response = await post('/v1/chat/completions', { messages, stream: true, stream_options: { include_usage: true }, max_tokens: 2 });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const frames = (await response.text()).split('\n\n');
    expect(frames.slice(-2)).toEqual(['data: [DONE]', '']);
    const json = frames.slice(0, -2).map((frame) => JSON.parse(frame.replace('data: ', '')) as Record<string, unknown>);
    expect(json.map((frame) => Object.hasOwn(frame, 'system_fingerprint'))).toEqual([false, false, false, true]);
    expect(json.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 6, total_tokens: 8, completion_tokens: 2 } });
    expect(json.at(-2)).toMatchObject({ choices: [{ delta: { content: ' answer' }, finish_reason: 'length', stop_reason: null }] });
  });

  it('ends at a stop text and does not return it', async () => {
    const answer = await (await post('/v1/completions', { prompt: 'x', max_tokens: 50, stop: ['comes from'] })).json();
    expect(answer).toMatchObject({ choices: [{ finish_reason: 'stop', stop_reason: 'comes from' }] });
  });

  it('gives n answers to each prompt, of token ids too', async () => {
    const answer = (await (await post('/v1/completions', { prompt: [[1, 2], [3]], n: 2, max_tokens: 1 })).json()) as {
      choices: { index: number }[];
    };
    expect(answer.choices.map((choice) => choice.index)).toEqual([0, 1, 2, 3]);
    expect(answer).toMatchObject({ usage: { prompt_tokens: 3, completion_tokens: 4 } });
  });

  it.each<[string, string, unknown, number, object]>([
    [
      'an unknown model',
      '/v1/chat/completions',
      { model: 'nope', messages, stream: true },
      404,
      {
        error: {
          message: 'The model `nope` does not exist. Valid aliases: tiny, alias.',
          type: 'NotFoundError',
          param: 'model',
          code: 404,
        },
      },
    ],
    [
      'an unknown model of messages',
      '/v1/messages',
      { model: 'nope', messages, max_tokens: 5 },
      404,
      { type: 'error', error: { type: 'NotFoundError', message: 'The model `nope` does not exist. Valid aliases: tiny, alias.' } },
    ],
    [
      'a missing field',
      '/v1/chat/completions',
      { model: 'tiny' },
      400,
      { error: { type: 'Bad Request', param: 'body.messages', code: 400 } },
    ],
    ['broken JSON', '/v1/chat/completions', '{"model": }', 400, { error: { type: 'Bad Request', code: 400 } }],
    [
      'too small a max_tokens',
      '/v1/completions',
      { prompt: 'x', max_tokens: -1 },
      400,
      {
        error: {
          message: 'max_tokens must be at least 1, got -1. (parameter=max_tokens, value=-1)',
          type: 'BadRequestError',
          param: 'max_tokens',
          code: 400,
        },
      },
    ],
    [
      'too long a prompt',
      '/v1/completions',
      { prompt: Array.from({ length: 513 }, () => 7) },
      400,
      {
        error: {
          message:
            "This model's maximum context length is 512 tokens. However, your prompt contains at least 513 input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. (parameter=input_tokens, value=513)",
        },
      },
    ],
    [
      'far too long a prompt',
      '/v1/completions',
      { prompt: 'x'.repeat(8021) },
      400,
      {
        error: {
          message:
            "This model's maximum context length is 512 tokens. However, your prompt contains 8021 characters (more than 6656 characters, which is the upper bound for 512 input tokens). Please reduce the length of the input prompt. (parameter=input_text, value=8021)",
        },
      },
    ],
    ['a route of another task', '/v1/embeddings', { input: 'x' }, 404, { detail: 'Not Found' }],
    ['a route without dev mode', '/sleep', {}, 404, { detail: 'Not Found' }],
  ])('refuses %s as vLLM does', async (_case, path, body, status, answer) => {
    const response = await post(path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(answer);
  });

  it('caps max_tokens at what the prompt leaves, without a word', async () => {
    const answer = await (
      await post('/v1/completions', { prompt: Array.from({ length: 502 }, () => 1), max_tokens: 200, ignore_eos: true })
    ).json();
    expect(answer).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 10 } });
  });

  it('has GET only where vLLM has, and no route for one model', async () => {
    const head = await fetch(`${engine.url}/health`, { method: 'HEAD' });
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET']);
    expect((await fetch(`${engine.url}/v1/models/tiny`)).status).toBe(404);
    const redirect = await fetch(`${engine.url}/v1/models/`, { redirect: 'manual' });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([307, `${engine.url}/v1/models`]);
  });

  it('speaks messages and responses with named events and without [DONE]', async () => {
    const messageEvents = await (await post('/v1/messages', { messages, stream: true, max_tokens: 1 })).text();
    expect([...messageEvents.matchAll(/^event: (.*)$/gm)].map((match) => match[1])).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    const responseEvents = await (await post('/v1/responses', { input: 'hi', stream: true, max_output_tokens: 1 })).text();
    expect([...responseEvents.matchAll(/^event: (.*)$/gm)].map((match) => match[1])).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(messageEvents + responseEvents).not.toContain('[DONE]');
    expect(await (await post('/v1/messages/count_tokens', { messages })).json()).toMatchObject({ input_tokens: 6 });
  });

  it('turns text into tokens and back', async () => {
    const prompt = 'Grüße, 世界';
    const { tokens } = (await (await post('/tokenize', { prompt })).json()) as { tokens: number[] };
    expect(await (await post('/detokenize', { tokens })).json()).toEqual({ prompt });
  });

  it('sends headers before scheduling, queues beyond its slots, and forgets a client that leaves', async () => {
    const streams = await Promise.all([openEndless(), openEndless(), openEndless()]);
    await eventually(async () => expect([await gauge('num_requests_running'), await gauge('num_requests_waiting')]).toEqual([2, 1]));
    const busy = await post('/v1/completions', { prompt: 'x' });
    expect([busy.status, ((await busy.json()) as { error: object }).error]).toMatchObject([
      503,
      { type: 'Service Unavailable', param: null, code: 503 },
    ]);
    const frames = await (await post('/v1/completions', { prompt: 'x', stream: true })).text();
    expect(frames).toBe(
      'data: {"error": {"message": "The engine is currently busy and cannot accept new requests. Please try again later or on a different instance.", "type": "Service Unavailable", "param": null, "code": 503}}\n\ndata: [DONE]\n\n',
    );
    for (const stream of streams) stream.close();
    await eventually(async () => expect([await gauge('num_requests_running'), await gauge('num_requests_waiting')]).toEqual([0, 0]));
  });

  it('counts what reached it', async () => {
    const text = await (await fetch(`${engine.url}/metrics`)).text();
    expect(text).toMatch(/^vllm:request_success_total\{engine="0",finished_reason="stop",model_name="tiny"\} [1-9]/m);
    expect(text).toMatch(/^http_requests_total\{handler="\/v1\/chat\/completions",method="POST",status="2xx"\} [1-9]/m);
    expect(text).not.toContain('handler="/health"');
    expect(text).toContain('kv_cache_memory_bytes="1073741824"');
  });
});

describe('an API key', () => {
  it('guards /v1 only', async () => {
    await using guarded = await startEngineProcess({ host, args: ['org/small', '--api-key', 'secret', '--gpu-memory-utilization', '0.4'] });
    await guarded.ready();
    const refused = await fetch(`${guarded.url}/v1/models`);
    expect([refused.status, await refused.json()]).toEqual([401, { error: 'Unauthorized' }]);
    expect((await fetch(`${guarded.url}/v1/models`, { headers: { authorization: 'Bearer secret' } })).status).toBe(200);
    expect((await fetch(`${guarded.url}/metrics`)).status).toBe(200);
  });
});

describe('an idle connection', () => {
  it('is closed by the engine', async () => {
    const environment = { VLLM_HTTP_TIMEOUT_KEEP_ALIVE: '0.2' };
    await using brief = await startEngineProcess({ host, args: ['org/small', '--gpu-memory-utilization', '0.4'], environment });
    await brief.printed('Application startup complete.');
    const socket = connect(brief.port, '127.0.0.1');
    socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\ndate: .*\r\nserver: uvicorn\r\ncontent-length: 0\r\n/);
    await once(socket, 'close');
  });
});
