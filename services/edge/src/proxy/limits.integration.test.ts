import { describe, expect, test } from 'vitest';
import OpenAI, { RateLimitError } from 'openai';
import { chatHandler, completionBody, FakeEngine } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const CHAT = '/v1/chat/completions';

describe('requests in flight on an endpoint', () => {
  const YAML = `
host: { runtime: process }
models:
  tiny: { source: org/tiny, maxInFlight: 2 }
`;

  test('beyond the limit get 429 with Retry-After, which the SDK raises as a rate limit, and the engine sees none of them', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const held: (() => void)[] = [];
    await using engine = await FakeEngine.start((_, response) => held.push(() => response.end(completionBody('tiny'))));
    edge.host.serve('tiny', engine.url);
    const running = [1, 2].map(() => edge.post(CHAT, { model: 'tiny' }));
    await waitUntil('both at the engine', () => engine.seen.length === 2);
    const client = new OpenAI({ baseURL: `${edge.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const refused = await client.chat.completions.create({ model: 'tiny', messages: [] }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RateLimitError);
    expect(refused).toMatchObject({ status: 429, code: 'ENDPOINT_FULL' });
    expect((refused as RateLimitError).headers.get('retry-after')).toBe('2');
    expect(engine.seen).toHaveLength(2);
    for (const end of held.splice(0)) end();
    for (const answer of running) expect((await answer).status).toBe(200);
    const next = edge.post(CHAT, { model: 'tiny' });
    await waitUntil('the next at the engine', () => held.length === 1);
    held[0]?.();
    expect((await next).status).toBe(200);
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
  });
});

describe('those who waited for a model', () => {
  const YAML = `
host: { runtime: process }
coldStart: { letIn: 2 }
models:
  tiny: { source: org/tiny }
`;

  test('are let in a few at a time once it is ready, more as it begins to answer, and all are served', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const held: (() => void)[] = [];
    await using engine = await FakeEngine.start((_, response) => held.push(() => response.end(completionBody('tiny'))));
    const asking = Array.from({ length: 9 }, () => edge.post(CHAT, { model: 'tiny' }));
    await waitUntil('all wait', () => edge.host.waiters === 9);
    edge.host.serve('tiny', engine.url);
    const rounds: number[] = [];
    for (let served = 0; served < 9;) {
      const expected = Math.min(2 * 2 ** rounds.length, 9 - served);
      await waitUntil('the next round at the engine', () => held.length === expected);
      rounds.push(held.length);
      served += held.length;
      for (const end of held.splice(0)) end();
    }
    expect(rounds).toEqual([2, 4, 3]);
    for (const answer of asking) expect((await answer).status).toBe(200);
    expect(edge.host.waiters).toBe(0);
  });

  test('are not held up by answers that take long: an engine that has some for a while gets more', async () => {
    await using edge = await TestEdge.start({ yaml: YAML, letInPatienceMs: 50 });
    const held: (() => void)[] = [];
    await using engine = await FakeEngine.start((_, response) => held.push(() => response.end(completionBody('tiny'))));
    const asking = Array.from({ length: 9 }, () => edge.post(CHAT, { model: 'tiny' }));
    await waitUntil('all wait', () => edge.host.waiters === 9);
    edge.host.serve('tiny', engine.url);
    await waitUntil('all at the engine, none answered', () => held.length === 9);
    for (const end of held) end();
    for (const answer of asking) expect((await answer).status).toBe(200);
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
  });

  test('are not held up by one that is let in and leaves', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start((request, response, body) => {
      if (body.toString().includes('"leaves"')) return;
      chatHandler('tiny')(request, response, body);
    });
    const leaving = [1, 2].map(() => new AbortController());
    const gone = leaving.map(({ signal }) => edge.post(CHAT, { model: 'tiny', user: 'leaves' }, {}, signal).catch(() => 'left'));
    await waitUntil('both wait', () => edge.host.waiters === 2);
    const staying = edge.post(CHAT, { model: 'tiny' });
    await waitUntil('all wait', () => edge.host.waiters === 3);
    edge.host.serve('tiny', engine.url);
    await waitUntil('both at the engine', () => engine.seen.length === 2);
    for (const controller of leaving) controller.abort();
    expect(await Promise.all(gone)).toEqual(['left', 'left']);
    expect((await staying).status).toBe(200);
  });

  test('whose turn does not come before their deadline are told that the model is ready', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using engine = await FakeEngine.start(() => undefined);
    const first = new AbortController();
    const stuck = [1, 2].map(() => edge.post(CHAT, { model: 'tiny' }, {}, first.signal).catch(() => 'left'));
    await waitUntil('both wait', () => edge.host.waiters === 2);
    const late = edge.post(CHAT, { model: 'tiny' }, { prefer: 'wait=1' });
    await waitUntil('all wait', () => edge.host.waiters === 3);
    edge.host.serve('tiny', engine.url);
    const answer = await late;
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ error: { code: 'model_loading', message: expect.stringContaining('has become ready') } });
    first.abort();
    await Promise.all(stuck);
  });
});
