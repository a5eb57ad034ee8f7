import { fileURLToPath } from 'node:url';
import {
  APIConnectionError as AnthropicConnectionError,
  APIError as AnthropicApiError,
  InternalServerError as AnthropicInternalServerError,
  RateLimitError as AnthropicRateLimitError,
} from '@anthropic-ai/sdk';
import { APICallError, RetryError } from 'ai';
import { APIConnectionError, APIError, InternalServerError, RateLimitError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { playing, SCRIPTED_ERROR } from '../support/scripted-engine.ts';
import { ASKINGS } from './sdk/asking.ts';
import { recordingFetch } from './sdk/recording-fetch.ts';
import { BERTHING_SCHEMA, WEATHER, WEATHER_SCHEMA } from './sdk/requests.ts';
import { anthropicOf, openAiOf } from './sdk/target.ts';

const SCRIPTED_ENGINE = fileURLToPath(new URL('../support/scripted-engine.ts', import.meta.url));
const ROWS = ASKINGS.map((asking, index) => ({ ...asking, index }));

/** Each test meets a cold model of its own, which runs on the CPU, where none stops another, and goes again by itself. */
const PURPOSES = ['limited', 'refusing', 'streamed', 'whole'] as const;
const QUICK = { gpus: 0, args: ['--max-model-len', 8192], idleTimeout: '1s' };
const FAILING = { ...QUICK, simulated: { crashAtPhase: 'weights' as const, weightsMs: 1 } };
/** Loads longer than a client with `Prefer: wait=3` waits, on a card of its own: there it is learned how long. */
const SLOW = { simulated: { weightsMs: 5000 } };
/** Loads until it is given up. */
const ENDLESS = { ...QUICK, simulated: { neverReady: true } };

let berth: BerthUnderTest;
const target = { baseUrl: () => berth.urls[0] ?? '' };

beforeAll(async () => {
  berth = await startBerth({
    edges: 2,
    gpus: ROWS.map(() => ({ memoryTotalMiB: 24_576 })),
    models: {
      scripted: {
        engine: 'openai',
        source: undefined,
        gpus: 0,
        command: [process.execPath, SCRIPTED_ENGINE, '{port}'],
        healthPath: '/v1/models',
      },
      ...Object.fromEntries(
        ROWS.flatMap(({ index }) => [
          ...PURPOSES.map((purpose) => [`${purpose}-${index}`, QUICK] as const),
          [`failing-${index}`, FAILING] as const,
          [`slow-${index}`, SLOW] as const,
        ]),
      ),
      endless: ENDLESS,
    },
    catalog: {
      coldStart: { heartbeatAfter: '20ms', heartbeatEvery: '50ms' },
      streams: { idleTimeout: '1s' },
      bodies: { limit: '32KiB', waiting: '32KiB', retryLimit: '32KiB' },
    },
  });
});

afterAll(() => berth?.[Symbol.asyncDispose]());

/** The error that was thrown; fails when none was. */
async function failureOf(asked: Promise<string>): Promise<unknown> {
  const failure = await outcomeOf(asked);
  if (failure === null) throw new Error(`no error, but ${await asked}`);
  return failure;
}

async function outcomeOf(asked: Promise<string>): Promise<unknown> {
  return asked.then(
    () => null,
    (error: unknown) => error,
  );
}

describe.concurrent.each(ROWS)('$sdk: $what', ({ sdk, index, what, whole, streamed }) => {
  const anthropic = sdk === '@anthropic-ai/sdk';
  const vercel = sdk === 'ai';

  test('the engine gets exactly the bytes that the SDK sent', async () => {
    const { fetch, requests } = recordingFetch();
    expect(await whole(target, { model: 'scripted', text: `${playing('echo')} "Grüße, 世界" \u2028 \\u0041`, fetch })).toBe(
      requests[0]?.bodyHash,
    );
  });

  test('an answer that is cut is never taken for whole', async () => {
    const failure = await failureOf(whole(target, { model: 'scripted', text: playing('cut-body') }));
    // The SDKs but Vercel's leave a body to `fetch`, and pass on what it throws.
    if (vercel) expect(APICallError.isInstance(failure)).toBe(true);
    else expect(failure).toMatchObject({ constructor: TypeError, message: 'terminated' });
  });

  test('a stream that breaks off raises an error of the API, with the reason', async () => {
    const failure = await failureOf(streamed(target, { model: 'scripted', text: playing('break-stream') }));
    expect(messageOf(failure)).toContain('ended in the middle of this answer');
    if (!vercel) expect(failure).toBeInstanceOf(anthropic ? AnthropicApiError : APIError);
    if (sdk === 'openai') expect(failure).toMatchObject({ code: 'ENGINE_EXITED' });
  });

  test("the engine's own error in a stream is raised in its words", async () => {
    const failure = await failureOf(streamed(target, { model: 'scripted', text: playing('error-frame') }));
    expect(messageOf(failure)).toContain(SCRIPTED_ERROR);
    if (!vercel) expect(failure).toBeInstanceOf(anthropic ? AnthropicApiError : APIError);
  });

  test('a stream that sends only comments raises an error of the API when its idle time is over', async () => {
    const failure = await failureOf(streamed(target, { model: 'scripted', text: playing('fall-silent') }));
    expect(messageOf(failure)).toContain('sent nothing for longer');
    if (!vercel) expect(failure).toBeInstanceOf(anthropic ? AnthropicApiError : APIError);
  });

  test('a 429 of the engine and one of Berth are rate limits', async () => {
    const ofEngine = await failureOf(whole(target, { model: 'scripted', text: playing('rate-limit') }));
    // Two bodies of which only one may wait.
    const long = { model: `limited-${index}`, text: 'x'.repeat(20_000) };
    const both = await Promise.all([whole(target, long), whole(target, long)].map(outcomeOf));
    const ofBerth = both.find((failure) => failure !== null);
    for (const failure of [ofEngine, ofBerth]) {
      if (vercel) expect(failure).toMatchObject({ statusCode: 429, isRetryable: true });
      else expect(failure).toBeInstanceOf(anthropic ? AnthropicRateLimitError : RateLimitError);
    }
    expect(messageOf(ofEngine)).toContain(SCRIPTED_ERROR);
    expect(messageOf(ofBerth)).toContain('wait for their models');
  });

  test('a refusal of the engine behind heartbeats is raised from inside the stream', async () => {
    const { fetch, requests } = recordingFetch();
    const failure = await failureOf(streamed(target, { model: `refusing-${index}`, text: 'hello', maxTokens: 99_999, fetch }));
    expect(messageOf(failure)).toContain('cannot be greater than max_model_len=8192');
    if (!vercel) expect(failure).toBeInstanceOf(anthropic ? AnthropicApiError : APIError);
    expect(requests[0]?.status).toBe(200);
    expect(await requests[0]?.text).toMatch(/^: berth model=refusing-/);
  });

  test('a model that fails to start is raised from inside the stream, with the cause', async () => {
    const { fetch, requests } = recordingFetch();
    const failure = await failureOf(streamed(target, { model: `failing-${index}`, text: 'hello', fetch }));
    expect(messageOf(failure)).toContain(`failing-${index}`);
    if (!vercel) expect(failure).toBeInstanceOf(anthropic ? AnthropicApiError : APIError);
    if (sdk === 'openai') expect(failure).toMatchObject({ code: 'ENGINE_START_FAILED' });
    expect(await requests[0]?.text).toMatch(/^: berth model=failing-/);
    // Before any heartbeat the true status is said.
    const again = await failureOf(whole(target, { model: `failing-${index}`, text: 'hello' }));
    if (vercel) expect(again).toMatchObject({ statusCode: 503 });
    else expect(again).toBeInstanceOf(anthropic ? AnthropicInternalServerError : InternalServerError);
  });

  test('a cold model is answered as a stream behind heartbeats, and whole', async () => {
    const { fetch, requests } = recordingFetch();
    expect(await streamed(target, { model: `streamed-${index}`, text: 'hello', fetch })).toContain('simulated');
    expect(await requests[0]?.text).toMatch(/^: berth model=streamed-/);
    expect(await whole(target, { model: `whole-${index}`, text: 'hello' })).toContain('simulated');
  });

  // Two that are alike but for the route are one test of the SDK's retries.
  test.skipIf(what === 'completions' || what.startsWith('@ai-sdk/openai:'))(
    '503 model_loading is tried again after Retry-After',
    async () => {
      const model = `slow-${index}`;
      // What it learned tells the next client when to come back.
      await whole(target, { model, text: 'hello' });
      await stop(model);
      const ask = { model, text: 'hello', headers: { prefer: 'wait=3' } };
      const { fetch, requests } = recordingFetch();
      const [refused, text] = await Promise.all([failureOf(whole(target, ask)), whole(target, { ...ask, fetch, maxRetries: 5 })]);
      expect(text).toContain('simulated');
      expect(messageOf(refused)).toContain('loading');
      if (vercel) expect(refused).toMatchObject({ statusCode: 503, isRetryable: true });
      else expect(refused).toBeInstanceOf(anthropic ? AnthropicInternalServerError : InternalServerError);
      if (sdk === 'openai') expect(refused).toMatchObject({ code: 'model_loading' });

      expect(requests.at(-1)?.status).toBe(200);
      expect(requests.length).toBeGreaterThan(1);
      for (const [at, request] of requests.slice(0, -1).entries()) {
        expect(request.status).toBe(503);
        const waitedMs = (requests[at + 1]?.sentAtMs ?? 0) - request.answeredAtMs;
        expect(waitedMs).toBeGreaterThan((request.retryAfterSeconds ?? Number.NaN) * 1000 - 50);
      }
    },
  );
});

test('tools and formats reach the engine as each SDK wrote them, byte for byte', async () => {
  const { fetch, requests } = recordingFetch();
  const messages = [{ role: 'user' as const, content: `${playing('echo')} Grüße` }];
  const schema = { ...WEATHER_SCHEMA, required: [...WEATHER_SCHEMA.required] };
  const functions = [{ type: 'function' as const, function: { ...WEATHER, parameters: schema } }];
  const format = { name: 'berthing', schema: BERTHING_SCHEMA, strict: true };
  const options = { maxRetries: 0, fetch };
  const chat = await openAiOf(target, options).chat.completions.create({
    model: 'scripted',
    messages,
    tools: functions,
    tool_choice: 'auto',
    response_format: { type: 'json_schema', json_schema: format },
  });
  const response = await openAiOf(target, options).responses.create({
    model: 'scripted',
    input: playing('echo'),
    tools: [{ type: 'function', ...WEATHER, strict: true, parameters: schema }],
    text: { format: { type: 'json_schema', ...format } },
  });
  const tools = [{ ...WEATHER, input_schema: schema }];
  const message = await anthropicOf(target, options).messages.create({ model: 'scripted', messages, tools, max_tokens: 16 });
  const told = [chat.choices[0]?.message.content, response.output_text, message.content[0]?.type === 'text' ? message.content[0].text : ''];
  expect(told).toEqual(requests.map(({ bodyHash }) => bodyHash));
  expect(requests).toHaveLength(3);
});

test('ai tells after its own retries that they did not help', async () => {
  const [, , , , vercel] = ROWS;
  const failure = await failureOf(vercel!.whole(target, { model: 'scripted', text: playing('rate-limit'), maxRetries: 1 }));
  expect(RetryError.isInstance(failure)).toBe(true);
});

test('an edge that is killed is a connection error of every SDK', async () => {
  const second = { baseUrl: () => berth.urls[1] ?? '' };
  const asked = ROWS.map(({ whole }) => outcomeOf(whole(second, { model: 'endless', text: 'hello' })));
  await eventually('all to wait', async () => {
    const waiters = (await berth.state()).edges.flatMap((edge) => edge.waiters).filter((report) => report.model === 'endless');
    return waiters.reduce((sum, report) => sum + report.count, 0) === ROWS.length;
  });
  await berth.edges[1]?.kill('SIGKILL');
  for (const [at, failure] of (await Promise.all(asked)).entries()) {
    const sdk = ROWS[at]?.sdk;
    if (sdk === 'ai') expect(failure).toMatchObject({ isRetryable: true, message: expect.stringContaining('Cannot connect') as string });
    else expect(failure).toBeInstanceOf(sdk === 'openai' ? APIConnectionError : AnthropicConnectionError);
  }
});

/** An operator's stop, seen through to its end. */
async function stop(model: string): Promise<void> {
  await fetch(`${target.baseUrl()}/admin/v1/models/${model}/stop`, { method: 'POST' });
  await eventually(`${model} to be stopped`, async () => !(await berth.state()).endpoints.some((endpoint) => endpoint.model === model));
}

/** Vercel's stream parts carry the error as an object, or as what the frame said. */
function messageOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : JSON.stringify(failure);
}
