import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { anthropicErrorSchema, errorEnvelopeSchema } from '@berth/contracts';
import { asId } from '@berth/core';
import type { ModelName, PlacementStatus } from '@berth/core';
import OpenAI, { AuthenticationError, NotFoundError, PermissionDeniedError, RateLimitError } from 'openai';
import { chatHandler, FakeEngine } from '../testing/fake-engine.ts';
import { TEST_CATALOG, TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const KEYS = {
  all: 'key-of-all-1234',
  plainOnly: 'key-of-plain-1234',
  use: 'key-that-uses-1234',
  place: 'key-that-places-1234',
  one: 'key-of-one-at-once-1234',
  minute: 'key-of-two-a-minute-1234',
};
const YAML = `${TEST_CATALOG}
keys:
  - { id: all, sha256: ${sha256(KEYS.all)} }
  - { id: plain-only, sha256: ${sha256(KEYS.plainOnly)}, models: ["pl*"] }
  - { id: use, sha256: ${sha256(KEYS.use)}, rights: [use] }
  - { id: place, sha256: ${sha256(KEYS.place)}, rights: [use, place] }
  - { id: one, sha256: ${sha256(KEYS.one)}, maxInFlight: 1 }
  - { id: minute, sha256: ${sha256(KEYS.minute)}, requestsPerMinute: 2 }
`;

const TINY = asId<ModelName>('tiny');
const messages = [{ role: 'user' as const, content: 'hi' }];
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

function chat(edge: TestEdge, key: string, body: object = {}, signal?: AbortSignal): Promise<Response> {
  return edge.post('/v1/chat/completions', { model: 'tiny', messages, ...body }, bearer(key), signal);
}

function clientOf(edge: TestEdge, apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${edge.url}/v1`, apiKey, maxRetries: 0 });
}

/** Nothing that identifies a key stands in what was logged or answered. */
function expectNoKeyIn(said: string): void {
  for (const key of Object.values(KEYS)) {
    expect(said).not.toContain(key);
    expect(said).not.toContain(sha256(key));
  }
}

describe('with keys, a request', () => {
  test.each([
    ['Bearer', bearer(KEYS.all)],
    ['bearer in lower case', { authorization: `bearer ${KEYS.all}` }],
    ['x-api-key', { 'x-api-key': KEYS.all }],
  ])('is let in by %s, and neither engine nor log sees the key', async (_, headers) => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    const answer = await edge.post(
      '/v1/chat/completions',
      { model: 'tiny', messages },
      { ...headers, cookie: KEYS.all, 'proxy-authorization': KEYS.all },
    );
    expect(answer.status).toBe(200);
    expectNoKeyIn(JSON.stringify(engine.seen.map((seen) => [seen.url, seen.headers])));
    await waitUntil('the line to be written', () => edge.lines.length > 0);
    expect(edge.lines).toMatchObject([{ message: 'request served', fields: { keyId: 'all', model: 'tiny' } }]);
    expectNoKeyIn(JSON.stringify(edge.lines));
  });

  test.each([
    ['no key', {}],
    ['another key', bearer('key-of-nobody-1234')],
    ['the hash of a key', bearer(sha256(KEYS.all))],
    ['Basic', { authorization: `Basic ${Buffer.from(`user:${KEYS.all}`).toString('base64')}` }],
  ])('with %s gets 401 in the form of its SDK', async (_, headers) => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const openai = await edge.post('/v1/chat/completions', { model: 'tiny' }, headers);
    expect(openai.status).toBe(401);
    expect(openai.headers.get('www-authenticate')).toBe('Bearer realm="Berth"');
    expect(errorEnvelopeSchema.parse(await openai.json()).error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_api_key' });
    const anthropic = await edge.post('/v1/messages', { model: 'tiny' }, headers);
    expect(anthropic.status).toBe(401);
    expect(anthropicErrorSchema.parse(await anthropic.json()).error.type).toBe('authentication_error');
    expect(edge.host.begun + edge.host.placed.length).toBe(0);
    expectNoKeyIn(JSON.stringify(edge.lines));
  });

  test('with a key in its query alone gets 401', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    expect((await edge.post(`/v1/chat/completions?api_key=${KEYS.all}&key=${KEYS.all}`, { model: 'tiny' })).status).toBe(401);
  });

  test('is refused before its body comes', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const socket = connect(edge.port, '127.0.0.1');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n{');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 401 /u);
  });

  test('for a model that its key may not use is answered exactly as for one that does not exist', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    const answerFor = async (model: string): Promise<string> => {
      const answer = await chat(edge, KEYS.plainOnly, { model });
      const headers = [...answer.headers].filter(([name]) => !['date', 'x-request-id', 'content-length'].includes(name));
      return JSON.stringify([answer.status, headers, await answer.text()]).replaceAll(model, 'MODEL');
    };
    const unknown = await answerFor('unknown');
    expect(unknown).toContain('404');
    for (const model of ['tiny', 'gpt-4o-mini', 'org/alias']) expect(await answerFor(model)).toBe(unknown);
    expect(engine.seen).toHaveLength(0);
  });

  test('by alias is judged by the name of its model', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start(chatHandler('plain'));
    edge.host.serve('plain', engine.url);
    expect((await chat(edge, KEYS.plainOnly, { model: 'plain-alias' })).status).toBe(200);
  });
});

test('a refusal names no model that the key may not use', async () => {
  await using edge = await TestEdge.start({ yaml: YAML });
  const asking = [KEYS.plainOnly, KEYS.all].map((key) => chat(edge, key, { model: 'plain' }));
  await waitUntil('both to wait', () => edge.host.waiters === 2 && edge.host.placing === 1);
  edge.host.fail('plain', {
    code: 'DOES_NOT_FIT',
    message: 'plain needs 9 MiB, but pinned models (tiny) hold 5 MiB.',
    retryable: false,
    details: { reasons: [{ code: 'victim-pinned', model: 'tiny' }] },
  });
  const told = await Promise.all(asking.map(async (answer) => errorEnvelopeSchema.parse(await (await answer).json()).error.message));
  expect(told).toEqual([
    'plain needs 9 MiB, but pinned models (another model) hold 5 MiB.',
    'plain needs 9 MiB, but pinned models (tiny) hold 5 MiB.',
  ]);
});

describe('the list of models', () => {
  test('shows a key its own models only, and nothing without a key', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const client = clientOf(edge, KEYS.plainOnly);
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['plain']);
    expect((await client.models.retrieve('plain-alias')).id).toBe('plain');
    await expect(client.models.retrieve('tiny')).rejects.toBeInstanceOf(NotFoundError);
    expect((await clientOf(edge, KEYS.all).models.list()).data.map(({ id }) => id)).toEqual(['tiny', 'plain']);
    const missing = await fetch(`${edge.url}/v1/models`);
    expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="Berth"']);
    expect((await fetch(`${edge.url}/v1/models/tiny`)).status).toBe(401);
    await expect(clientOf(edge, 'nobody').models.list()).rejects.toBeInstanceOf(AuthenticationError);
  });

  test('is counted by no limit', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const client = clientOf(edge, KEYS.minute);
    for (let polls = 0; polls < 5; polls += 1) await client.models.retrieve('tiny');
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    expect((await chat(edge, KEYS.minute)).status).toBe(200);
  });
});

describe('a key without the right to place', () => {
  test('uses a model that is loaded', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    expect((await chat(edge, KEYS.use)).status).toBe(200);
  });

  test('is refused at once when its model is not loaded, and causes nothing', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await expect(clientOf(edge, KEYS.use).chat.completions.create({ model: 'tiny', messages })).rejects.toBeInstanceOf(
      PermissionDeniedError,
    );
    const stream = await chat(edge, KEYS.use, { stream: true });
    expect(stream.status).toBe(403);
    expect(errorEnvelopeSchema.parse(await stream.json()).error.code).toBe('KEY_MAY_NOT_PLACE');
    expect([edge.host.joinedWith, edge.host.placed, edge.host.wishes]).toEqual([[], [], []]);
  });

  test.each(['starting', 'waiting'] as const)(
    'is told when to come back while a placement for somebody else is %s, and causes nothing',
    async (stage) => {
      await using edge = await TestEdge.start({ yaml: YAML });
      const wish = { id: 'another', model: TINY, right: 'displace', kind: 'operator', arrivedMsAgo: 0, endsInMs: 60_000 } as const;
      edge.host.wishes.push(wish);
      edge.host.statuses.set(TINY, placing(stage, 41_500));
      const answer = await chat(edge, KEYS.use);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(39);
      expect(errorEnvelopeSchema.parse(await answer.json()).error.code).toBe('model_loading');
      expect([edge.host.joinedWith, edge.host.placed, edge.host.wishes]).toEqual([[], [], [wish]]);
      await waitUntil('the line to be written', () => edge.lines.length > 0);
      expect(edge.lines[0]?.fields).toMatchObject({ cold: true, code: 'MODEL_LOADING' });
    },
  );
});

describe('a key without the right to displace', () => {
  test('waits and wishes with the right to place alone, and is told that it may not stop others', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    edge.host.statuses.set(TINY, placing('waiting', null));
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', messages }, { ...bearer(KEYS.place), prefer: 'wait=0' });
    expect(answer.status).toBe(503);
    const { error } = errorEnvelopeSchema.parse(await answer.json());
    expect(error.code).toBe('NO_CAPACITY_NOW');
    expect(error.message).toContain('this key may not stop models');
    expect(edge.host.wishes).toMatchObject([{ model: 'tiny', right: 'place' }]);
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    const asking = chat(edge, KEYS.place);
    await waitUntil('waiting', () => edge.host.joinedWith.length > 0);
    edge.host.serve('tiny', engine.url);
    expect((await asking).status).toBe(200);
    expect(new Set(edge.host.joinedWith)).toEqual(new Set(['place']));
  });

  test('leaves a wish beside that of a key with it, each of its own age', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const wish = (key: string, wait: number) =>
      edge.post('/v1/chat/completions', { model: 'tiny', messages }, { ...bearer(key), prefer: `wait=${wait}` });
    expect((await wish(KEYS.place, 1)).status).toBe(503);
    const sentAtMs = performance.now();
    expect((await wish(KEYS.all, 0)).status).toBe(503);
    const [place, displace] = edge.host.wishes;
    expect([place?.right, displace?.right]).toEqual(['place', 'displace']);
    expect(place?.id).not.toBe(displace?.id);
    expect(displace?.arrivedMsAgo).toBeLessThan(performance.now() - sentAtMs);
  });
});

describe('the limits of a key', () => {
  test('count a request in flight until it has ended, however it ends', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const held: (() => void)[] = [];
    await using engine = await FakeEngine.start((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {}\n\n');
      held.push(() => response.end('data: [DONE]\n\n'));
    });
    edge.host.serve('tiny', engine.url);
    const leaving = new AbortController();
    const first = await chat(edge, KEYS.one, { stream: true }, leaving.signal);
    await expect(clientOf(edge, KEYS.one).chat.completions.create({ model: 'tiny', messages })).rejects.toBeInstanceOf(RateLimitError);
    const refused = await chat(edge, KEYS.one);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(errorEnvelopeSchema.parse(await refused.json()).error).toMatchObject({ type: 'rate_limit_error', code: 'KEY_LIMIT_REACHED' });
    // Another key has limits of its own.
    const other = await chat(edge, KEYS.all, { stream: true });
    leaving.abort();
    await first.text().catch(() => undefined);
    await waitUntil('the client to be gone', () => edge.host.inFlight() === 1);
    const counted = (requests: number) => waitUntil('them to be counted out', () => edge.lines.length === requests);
    await counted(3);
    // One that fails, one that is not understood, and one that ends well: each makes room for the next.
    expect((await chat(edge, KEYS.one, { model: 'nope' })).status).toBe(404);
    await counted(4);
    expect((await edge.post('/v1/completions', [], bearer(KEYS.one))).status).toBe(400);
    await counted(5);
    const last = await chat(edge, KEYS.one, { stream: true });
    for (const end of held) end();
    expect(await last.text()).toContain('[DONE]');
    expect(await other.text()).toContain('[DONE]');
    await counted(7);
    expect((await chat(edge, KEYS.one, { model: 'nope' })).status).toBe(404);
  });

  test('count requests within a minute, and say when the next one may come', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    expect([(await chat(edge, KEYS.minute)).status, (await chat(edge, KEYS.minute)).status]).toEqual([200, 200]);
    const refused = await edge.post('/v1/messages', { model: 'tiny' }, { 'x-api-key': KEYS.minute });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(anthropicErrorSchema.parse(await refused.json()).error.type).toBe('rate_limit_error');
    expect((await chat(edge, KEYS.all)).status).toBe(200);
    await waitUntil('the lines', () => edge.lines.length === 4);
    expect(edge.lines.map(({ fields }) => [fields['keyId'], fields['status']])).toContainEqual(['minute', 429]);
  });
});

function placing(stage: PlacementStatus['stage'], etaMs: number | null): PlacementStatus {
  return { model: TINY, stage, reasons: [], updatedAtMs: Date.now(), detail: null, progress: null, phaseProgress: null, etaMs };
}
