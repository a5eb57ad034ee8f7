import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTemporaryHost, eventually, oneGpu, small } from '../testing/temporary-host.ts';
import type { TemporaryHost } from '../testing/temporary-host.ts';
import { startEngineProcess } from './start-engine-process.ts';
import type { EngineProcess } from './start-engine-process.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

/** Forms and texts are those of vLLM 0.32.0 with `--tool-call-parser hermes`, recorded. */
let host: TemporaryHost;
let engine: EngineProcess;
const messages = [{ role: 'user', content: 'hello' }];
const city = { type: 'object', properties: { city: { type: 'string', enum: ['Kiel', 'Bremen'] } }, required: ['city'] };
const tools = [{ type: 'function', function: { name: 'get_weather', parameters: city } }];

beforeAll(async () => {
  host = createTemporaryHost(oneGpu, { '*': small });
  const args = ['org/small', '--served-model-name', 'tiny', '--gpu-memory-utilization', '0.4', '--max-model-len', '512'];
  engine = await startEngineProcess({
    host,
    args: [...args, '--enable-auto-tool-choice', '--tool-call-parser', 'hermes'],
    environment: { VLLM_ENABLE_RESPONSES_API_STORE: '1' },
  });
  await engine.ready();
});

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  host[Symbol.dispose]();
});

async function post(path: string, body: unknown): Promise<Response> {
  return await fetch(engine.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function postJson(path: string, body: unknown): Promise<unknown> {
  return await (await post(path, body)).json();
}

/** What the frames of a stream carry. */
async function frames(path: string, body: object): Promise<Record<string, unknown>[]> {
  const text = await (await post(path, { ...body, stream: true })).text();
  return [...text.matchAll(/^data: (\{.*)$/gm)].map((match) => JSON.parse(match[1] ?? '') as Record<string, unknown>);
}

describe('a chat with tools', () => {
  it('calls the first function, and answers in words what it returned', async () => {
    const call = {
      id: expect.stringMatching(/^chatcmpl-tool-/) as string,
      type: 'function',
      function: { name: 'get_weather', arguments: '{"city":"Kiel"}' },
    };
    expect(await postJson('/v1/chat/completions', { messages, tools })).toMatchObject({
      choices: [{ message: { content: '', tool_calls: [call] }, finish_reason: 'tool_calls' }],
    });
    const returned = [...messages, { role: 'assistant', tool_calls: [call] }, { role: 'tool', tool_call_id: 'x', content: 'sunny' }];
    expect(await postJson('/v1/chat/completions', { messages: returned, tools })).toMatchObject({
      choices: [{ message: { content: expect.stringContaining('simulated') as string }, finish_reason: 'stop' }],
    });
    expect(await postJson('/v1/chat/completions', { messages, tools, tool_choice: 'none' })).toMatchObject({
      choices: [{ finish_reason: 'stop' }],
    });
  });

  it('streams the name of the function first, then its arguments in pieces', async () => {
    const choices = (await frames('/v1/chat/completions', { messages, tools })).map((frame) => (frame['choices'] as object[])[0]);
    expect(choices.slice(1, 3)).toMatchObject([
      { delta: { content: null, tool_calls: [{ type: 'function', index: 0, function: { name: 'get_weather' } }] } },
      { delta: { content: null, tool_calls: [{ index: 0, function: { arguments: '{"ci' } }] } },
    ]);
    expect(choices.at(-1)).toMatchObject({ delta: {}, finish_reason: 'tool_calls' });
  });

  it('ends a call that the request named with stop, and leaves one that was cut off as text', async () => {
    const named = { messages, tools, tool_choice: { type: 'function', function: { name: 'get_weather' } } };
    expect(await postJson('/v1/chat/completions', named)).toMatchObject({
      choices: [{ finish_reason: 'stop', message: { tool_calls: [{}] } }],
    });
    expect(await postJson('/v1/chat/completions', { ...named, max_tokens: 1 })).toMatchObject({
      choices: [{ finish_reason: 'length', message: { content: '<tool_call>\n{"name": "get_weather", "arguments": {"ci' } }],
    });
  });
});

describe('a format', () => {
  const answer = { choices: [{ message: { content: '{"city":"Kiel"}' }, finish_reason: 'stop' }] };

  it('is kept by chat, responses and messages', async () => {
    const format = { type: 'json_schema', json_schema: { name: 'x', schema: city } };
    expect(await postJson('/v1/chat/completions', { messages, response_format: format })).toMatchObject(answer);
    const response = await postJson('/v1/responses', { input: 'x', text: { format: { type: 'json_schema', name: 'x', schema: city } } });
    expect(response).toMatchObject({ output: [{ content: [{ text: '{"city":"Kiel"}' }] }] });
    const message = { messages, max_tokens: 50, output_config: { format: { type: 'json_schema', schema: city } } };
    expect(await postJson('/v1/messages', message)).toMatchObject({ content: [{ text: '{"city":"Kiel"}' }] });
  });

  it('without its schema is refused', async () => {
    expect(await postJson('/v1/chat/completions', { messages, response_format: { type: 'json_schema' } })).toMatchObject({
      error: { type: 'BadRequestError', param: 'response_format', code: 400 },
    });
  });
});

describe('messages with tools', () => {
  const body = { messages, max_tokens: 50, tools: [{ name: 'get_weather', input_schema: city }] };

  it('give a tool_use block, whole and in pieces', async () => {
    expect(await postJson('/v1/messages', body)).toMatchObject({
      content: [{ type: 'tool_use', name: 'get_weather', input: { city: 'Kiel' } }],
      stop_reason: 'tool_use',
    });
    const events = await frames('/v1/messages', body);
    expect(events[1]).toMatchObject({ content_block: { type: 'tool_use', name: 'get_weather', input: {} } });
    const json = events.flatMap((event) => (event['type'] === 'content_block_delta' ? [event['delta'] as { partial_json: string }] : []));
    expect(json.map((delta) => delta.partial_json).join('')).toBe('{"city":"Kiel"}');
    expect(events.at(-2)).toMatchObject({ delta: { stop_reason: 'tool_use', stop_sequence: null } });
  });

  it('refuse a wrong max_tokens in the form of OpenAI', async () => {
    expect(await postJson('/v1/messages', { ...body, max_tokens: -1 })).toMatchObject({
      error: { type: 'Bad Request', param: 'body.max_tokens', code: 400 },
    });
  });
});

describe('responses', () => {
  it('call functions, whole and in pieces', async () => {
    const body = { input: 'x', tools: [{ type: 'function', name: 'get_weather', parameters: city }] };
    const item = { type: 'function_call', name: 'get_weather', arguments: '{"city":"Kiel"}', status: 'completed' };
    expect(await postJson('/v1/responses', body)).toMatchObject({ output: [item], status: 'completed' });
    const events = await frames('/v1/responses', body);
    expect(events.map((event) => event['type'])).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      ...Array.from({ length: 4 }, () => 'response.function_call_arguments.delta'),
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.at(-1)).toMatchObject({ response: { output: [item] } });
  });

  it('are kept, and only those in the background can be cancelled', async () => {
    const kept = (await postJson('/v1/responses', { input: 'x', max_output_tokens: 2 })) as { id: string };
    expect(await (await fetch(`${engine.url}/v1/responses/${kept.id}`)).json()).toEqual(kept);
    expect(await postJson(`/v1/responses/${kept.id}/cancel`, {})).toEqual({
      error: { message: 'Cannot cancel a synchronous response.', type: 'invalid_request_error', param: 'response_id', code: 400 },
    });
    const missing = await fetch(`${engine.url}/v1/responses/resp_none`);
    expect([missing.status, await missing.json()]).toMatchObject([
      404,
      { error: { message: "Response with id 'resp_none' not found.", type: 'invalid_request_error', param: 'response_id', code: 404 } },
    ]);

    const endless = { input: 'x', background: true, max_output_tokens: 500, ignore_eos: true };
    const queued = (await postJson('/v1/responses', endless)) as { id: string };
    expect(queued).toMatchObject({ status: 'queued', background: true, output: [] });
    expect(await postJson(`/v1/responses/${queued.id}/cancel`, {})).toMatchObject({ id: queued.id, status: 'cancelled' });
    const brief = (await postJson('/v1/responses', { input: 'x', background: true, max_output_tokens: 2 })) as { id: string };
    await eventually(async () =>
      expect(await (await fetch(`${engine.url}/v1/responses/${brief.id}`)).json()).toMatchObject({ status: 'incomplete', output: [{}] }),
    );
    expect(await (await fetch(`${engine.url}/v1/responses/${queued.id}`)).json()).toMatchObject({ status: 'cancelled' });
  });
});
