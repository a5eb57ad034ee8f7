import Anthropic, { APIError as AnthropicError } from '@anthropic-ai/sdk';
import { COLD_START_PHASES } from '@berth/core';
import { modelSchema, type ModelBody } from '@berth/contracts';
import { createParser } from 'eventsource-parser';
import { APIError } from 'openai';
import { afterEach, describe, expect, test } from 'vitest';
import { startBerth, type BerthOptions, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { chatBody, openStream, postChat } from '../support/requests.ts';

/** Long enough in each phase that an edge, which looks once a second, sees it. */
const SLOW = { weightsMiB: 2_000, importMs: 300, weightsMs: 2_000, compileMs: 1_200, captureMs: 1_200, serverMs: 300 };
const SOON = { coldStart: { wait: '30s', heartbeatAfter: '100ms', heartbeatEvery: '50ms' } };
/** Less would be over before an edge has looked once. */
const BRIEF = { weightsMs: 800 };
const LOADING: ReadonlySet<string> = new Set(COLD_START_PHASES.slice(COLD_START_PHASES.indexOf('starting')));
const messages = [{ role: 'user' as const, content: 'hello' }];

let berth: BerthUnderTest | null = null;

afterEach(async () => {
  await berth?.[Symbol.asyncDispose]();
  berth = null;
});

async function start(
  models: BerthOptions['models'],
  catalog: BerthOptions['catalog'] = SOON,
): Promise<BerthUnderTest & { readonly url: string }> {
  berth = await startBerth({ models, catalog });
  return { ...berth, url: berth.urls[0] ?? '' };
}

async function modelOf(url: string, id: string): Promise<ModelBody> {
  const answer = await fetch(`${url}/v1/models/${id}`);
  const body: unknown = await answer.json();
  expect({ status: answer.status, body }).toMatchObject({ status: 200 });
  return modelSchema.parse(body);
}

/** The stream of a cold model as a real event-stream parser sees it. */
async function readStream(url: string, path: string, body: object) {
  const answer = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const comments: string[] = [];
  const events: { readonly event: string | undefined; readonly data: string }[] = [];
  const parser = createParser({
    onComment: (comment) => comments.push(comment),
    onEvent: ({ event, data }) => events.push({ event, data }),
    onError: (error) => expect.unreachable(String(error)),
  });
  for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) parser.feed(piece);
  return { answer, comments, events };
}

function phasesIn(comments: readonly string[]): readonly string[] {
  return [...new Set(comments.map((comment) => /phase=(\S+)/u.exec(comment)?.[1] ?? '?'))];
}

describe('the stream of a model that is not ready', () => {
  test.each([
    ['/v1/chat/completions', { messages, max_tokens: 4 }, undefined, '[DONE]'],
    ['/v1/messages', { messages, max_tokens: 4 }, 'message_start', 'message_stop'],
    ['/v1/responses', { input: 'hello', max_output_tokens: 4 }, 'response.created', 'response.completed'],
  ])('%s begins with comments that no parser shows, and then as its clients expect', async (path, body, firstEvent, lastWord) => {
    const { url } = await start({ slow: { simulated: SLOW } });
    const { answer, comments, events } = await readStream(url, path, { model: 'slow', stream: true, ...body });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    expect(answer.headers.get('server-timing')).toMatch(/^queue;dur=\d+, place;dur=\d+$/u);
    expect(comments.length).toBeGreaterThan(3);
    for (const comment of comments) expect(comment).toMatch(/^ ?berth model=slow phase=\S+/u);
    expect(events[0]?.event).toBe(firstEvent);
    expect(events.every(({ data }) => !data.includes('berth'))).toBe(true);
    expect(`${events.at(-1)?.event} ${events.at(-1)?.data}`).toContain(lastWord);

    const phases = phasesIn(comments);
    const order = [...COLD_START_PHASES, 'ready'] as readonly string[];
    const places = phases.map((phase) => order.indexOf(phase));
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    expect(phases.some((phase) => LOADING.has(phase))).toBe(true);
  });

  test('is read by the official clients of OpenAI and Anthropic as if the model had been ready', async () => {
    const { url, client } = await start({ one: { simulated: BRIEF }, two: { simulated: BRIEF }, three: { simulated: BRIEF } });
    const openai = client();
    const anthropic = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
    const [chunks, events, message] = await Promise.all([
      openai.chat.completions.create({ model: 'one', messages, max_tokens: 4, stream: true }).then((stream) => Array.fromAsync(stream)),
      openai.responses
        .create({ model: 'two', input: 'hello', max_output_tokens: 16, stream: true })
        .then((stream) => Array.fromAsync(stream)),
      anthropic.messages.stream({ model: 'three', messages, max_tokens: 4 }).finalMessage(),
    ]);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).not.toBe('');
    expect([events[0]?.type, events.at(-1)?.type]).toEqual([
      'response.created',
      expect.stringMatching(/^response\.(?:completed|incomplete)$/u),
    ]);
    expect(message.content[0]?.type).toBe('text');
  });

  test('raises the error class of each official client when the load fails after comments', async () => {
    const failing = { simulated: { ...BRIEF, crashAtPhase: 'profile' as const } };
    const { url, client } = await start({ one: failing, two: failing, three: failing });
    const openai = client();
    const anthropic = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
    const chat = await openai.chat.completions.create({ model: 'one', messages, stream: true });
    await expect(Array.fromAsync(chat)).rejects.toBeInstanceOf(APIError);
    const responses = await openai.responses.create({ model: 'two', input: 'hello', stream: true });
    await expect(Array.fromAsync(responses)).rejects.toBeInstanceOf(APIError);
    const message = await anthropic.messages.create({ model: 'three', messages, max_tokens: 4, stream: true });
    await expect(Array.fromAsync(message)).rejects.toBeInstanceOf(AnthropicError);
  });
});

describe('GET /v1/models/{id} during a load', () => {
  test('tells the phases; from the second load on also progress, the time left, and a learned Retry-After', async () => {
    const { url, chat } = await start({ slow: { gpus: 0, args: ['--max-model-len', '4096'], simulated: SLOW } });
    const first = chat('slow');
    const loading = await eventually('the load', async () => {
      const { berth: told } = await modelOf(url, 'slow');
      return told.state === 'starting' && told;
    });
    expect(loading).toMatchObject({ progress: null, etaSeconds: null });
    await first;
    const ready = await eventually('the model to be shown as ready', async () => {
      const { berth: told } = await modelOf(url, 'slow');
      return told.state === 'ready' && told;
    });
    expect(ready).toMatchObject({ phase: null, progress: null, etaSeconds: null });
    await fetch(`${url}/admin/v1/stop`, { method: 'POST', body: '{"force":true}' });
    await eventually('the stop', async () => (await modelOf(url, 'slow')).berth.state === 'cold');

    const again = chat('slow');
    const seen: ModelBody['berth'][] = [];
    const ended = eventually('the second load to end', async () => {
      const { berth: told } = await modelOf(url, 'slow');
      if (told.etaSeconds !== null) seen.push(told);
      return told.state === 'ready';
    });
    const early = await eventually('a refusal with a learned time', async () => {
      const answer = await postChat(url, chatBody('slow'), { prefer: 'wait=0' });
      return answer.body.error?.message.includes('needs about') === true && answer;
    });
    expect(early).toMatchObject({ status: 503, body: { error: { code: 'model_loading' } } });
    expect(early.headers.get('retry-after')).toBe(/about (\d+) s/u.exec(early.body.error?.message ?? '')?.[1]);
    expect(early.headers.get('preference-applied')).toBe('wait=0');
    await Promise.all([again, ended]);
    expect(seen.length).toBeGreaterThan(0);
    for (const told of seen) expect(told.etaSeconds).toBeGreaterThanOrEqual(1);
    const progress = seen.map((told) => told.progress ?? -1);
    expect(progress).toEqual(progress.toSorted((one, other) => one - other));
    expect(progress.at(-1)).toBeLessThan(1);
  });

  test('names the models that must make room', async () => {
    const { url, chat } = await start({
      left: { simulated: { weightsMiB: 14_000, tokenDelayMs: 40 } },
      right: { simulated: { weightsMiB: 14_500 } },
    });
    await chat('right');
    await chat('left');
    const busy = await openStream(url, 'left');
    await busy.firstEvent;
    const newcomer = readStream(url, '/v1/chat/completions', { model: 'right', messages, max_tokens: 4, stream: true });
    await eventually('the drain to be told', async () => {
      const { berth: told } = await modelOf(url, 'right');
      return told.phase === 'draining' && told.victims.join() === 'left';
    });
    const refusal = await postChat(url, chatBody('right'), { prefer: 'wait=0' });
    expect(refusal.body.error).toMatchObject({
      code: 'NO_CAPACITY_NOW',
      message: expect.stringContaining('left must end first') as string,
    });
    busy.close();
    const { comments, events } = await newcomer;
    expect(comments.some((comment) => comment.includes('phase=draining victims=left'))).toBe(true);
    expect(events.at(-1)?.data).toBe('[DONE]');
  });
});

describe('a load without a connection', () => {
  test('is asked for by a hint, which returns at once', async () => {
    const { url, state } = await start({ slow: { simulated: SLOW } });
    const hint = await fetch(`${url}/v1/models/slow/warm`, { method: 'POST' });
    expect(hint.status).toBe(202);
    expect(modelSchema.parse(await hint.json()).berth).toMatchObject({ state: 'placing', phase: 'queued' });
    await eventually('the model to be ready', async () => (await modelOf(url, 'slow')).berth.state === 'ready');
    expect((await state()).wishes).toEqual([]);
    expect((await fetch(`${url}/v1/models/slow/warm`, { method: 'POST' })).status).toBe(200);
  });

  test('goes on to ready when its only client leaves after the engine was started', async () => {
    const { url, state, engines } = await start({ slow: { simulated: SLOW } });
    const leaving = new AbortController();
    const gone = postChat(url, chatBody('slow'), {}, leaving.signal).catch(() => 'gone');
    await eventually('the engine to be started', async () => (await engines()).length === 1);
    leaving.abort();
    expect(await gone).toBe('gone');
    await eventually('the model to be ready', async () => (await modelOf(url, 'slow')).berth.state === 'ready');
    expect((await state()).endpoints).toHaveLength(1);
  });
});
