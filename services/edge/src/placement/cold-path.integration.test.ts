import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { asId } from '@berth/core';
import type { ModelName, PlacementStatus } from '@berth/core';
import { chatHandler, chunkFrame, completionBody, FakeEngine } from '../testing/fake-engine.ts';
import { starting } from '../testing/builders.ts';
import { TEST_CATALOG, TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const STREAM_TEXT = `${['one ', 'two ', 'three'].map((word) => chunkFrame('tiny', word)).join('')}data: [DONE]\n\n`;

describe('a request for a model that is not ready', () => {
  test('waits for its placement and is answered, with what queueing and placing took', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    const asking = edge.post('/v1/chat/completions', { model: 'tiny' });
    await waitUntil('waiting', () => edge.host.waiters === 1 && edge.host.placing === 1);
    edge.host.serve('tiny', engine.url);
    const answer = await asking;
    expect(await answer.text()).toBe(completionBody('tiny'));
    expect(answer.headers.get('server-timing')).toMatch(/^queue;dur=\d+, place;dur=\d+$/u);
    expect(edge.host.waiters).toBe(0);
  });

  test('is sent once its model is ready, though the registry does not say when that started', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    const asking = edge.post('/v1/chat/completions', { model: 'tiny' });
    await waitUntil('waiting', () => edge.host.placing === 1);
    edge.host.reading = new Promise(() => undefined);
    // What was read before is too old by then.
    await sleep(150);
    edge.host.serve('tiny', engine.url);
    expect((await asking).status).toBe(200);
  });

  test('shares one placement with all others of this edge', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    const asking = Array.from({ length: 50 }, () => edge.post('/v1/chat/completions', { model: 'tiny' }));
    await waitUntil('all wait', () => edge.host.waiters === 50);
    edge.host.serve('tiny', engine.url);
    const answers = await Promise.all(asking);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(edge.host.placed).toEqual(['tiny']);
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
  });

  test('gets the failure of its placement with its own status', async () => {
    await using edge = await TestEdge.start();
    const asking = edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    await waitUntil('waiting', () => edge.host.placing === 1);
    edge.host.fail('tiny', { code: 'DOES_NOT_FIT', message: 'tiny needs 40000 MiB; the largest GPU has 23000 MiB.', retryable: false });
    const answer = await asking;
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      error: { message: 'tiny needs 40000 MiB; the largest GPU has 23000 MiB.', type: 'server_error', param: null, code: 'DOES_NOT_FIT' },
    });
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(edge.host.wishes).toHaveLength(0);
  });

  test('is told at its deadline that the model is loading and when to come back, and leaves a wish', async () => {
    await using edge = await TestEdge.start();
    edge.host.statuses.set(asId<ModelName>('tiny'), placementStatus({ stage: 'starting', etaMs: null }));
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=1' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('30');
    expect(answer.headers.get('preference-applied')).toBe('wait=1');
    expect(answer.headers.get('server-timing')).toMatch(/^queue;dur=\d+, place;dur=\d+$/u);
    expect(await answer.json()).toMatchObject({ error: { code: 'model_loading' } });
    expect(edge.host.wishes).toMatchObject([{ model: 'tiny', kind: 'waiter', right: 'displace' }]);
    expect(edge.host.wishes[0]?.endsInMs).toBeCloseTo(90_000, -3);
    expect(edge.host.waiters).toBe(0);
    expect(edge.host.placing).toBe(0);
  });

  test('is told at once when the learned time left outlasts its wait', async () => {
    await using edge = await TestEdge.start();
    edge.host.statuses.set(asId<ModelName>('tiny'), placementStatus({ stage: 'starting', etaMs: 500_000 }));
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=60' });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('120');
    expect(edge.host.wishes).toHaveLength(1);
  });

  test.each([
    ['at least a second', 0, 1],
    ['the learned time left', 41_300, 42],
    ['at most two minutes', 900_000, 120],
  ])('is told to come back after %s', async (_, etaMs, seconds) => {
    await using edge = await TestEdge.start();
    edge.host.statuses.set(asId<ModelName>('tiny'), { ...placementStatus({ stage: 'starting', etaMs }), updatedAtMs: Date.now() + 60_000 });
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=0' });
    expect(Number(answer.headers.get('retry-after'))).toBe(seconds);
  });

  test('is told what is known when nobody has planned for it yet: that it is on its way', async () => {
    await using edge = await TestEdge.start();
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=0' });
    expect(await answer.json()).toMatchObject({ error: { code: 'model_loading', message: expect.stringContaining('(queued)') as string } });
  });

  test('is not told of a preference that its wait does not follow, nor of any when its model is ready', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    const asking = edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=100' });
    await waitUntil('waiting', () => edge.host.placing === 1);
    edge.host.serve('tiny', engine.url);
    const cold = await asking;
    expect([cold.status, cold.headers.get('preference-applied')]).toEqual([200, null]);
    const hot = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=1' });
    expect([hot.headers.get('preference-applied'), hot.headers.get('server-timing')]).toEqual([null, null]);
  });

  test('is told that there is no capacity when nothing of its model loads, and keeps its age when it comes back', async () => {
    await using edge = await TestEdge.start();
    edge.host.statuses.set(asId<ModelName>('tiny'), placementStatus({ stage: 'draining', etaMs: null }));
    for (let round = 0; round < 2; round += 1) {
      const answer = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=1' });
      expect(answer.status).toBe(503);
      expect(await answer.json()).toMatchObject({ error: { code: 'NO_CAPACITY_NOW' } });
    }
    const [first, second] = edge.host.wishes;
    expect(second?.id).toBe(first?.id);
    expect(second?.arrivedMsAgo).toBeGreaterThan((first?.arrivedMsAgo ?? 0) + 900);
  });

  test('is told when no orchestrator is there', async () => {
    await using edge = await TestEdge.start();
    edge.host.leader = null;
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny' }, { prefer: 'wait=0' });
    expect(await answer.json()).toMatchObject({ error: { code: 'ORCHESTRATOR_UNAVAILABLE' } });
  });

  test('gets 503 with Retry-After while Redis is away, and hot models go on', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    edge.host.redisAway = true;
    const cold = await edge.post('/v1/chat/completions', { model: 'plain' });
    expect(cold.status).toBe(503);
    expect(cold.headers.get('retry-after')).toBe('5');
    expect(await cold.json()).toMatchObject({ error: { code: 'REDIS_UNAVAILABLE' } });
    expect((await edge.post('/v1/chat/completions', { model: 'tiny' })).status).toBe(200);
  });

  test('gets 429 with Retry-After when too many wait', async () => {
    await using edge = await TestEdge.start();
    edge.host.maxWaiters = 0;
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny' });
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await answer.json()).toMatchObject({ error: { code: 'QUEUE_FULL', type: 'rate_limit_error' } });
  });
});

describe('a stream for a model that is not ready', () => {
  test('stays silent at first, then gets comments, then the stream of the engine', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.statuses.set(asId<ModelName>('tiny'), placementStatus({ stage: 'starting', etaMs: 2000 }));
    const beganAtMs = performance.now();
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    expect(performance.now() - beganAtMs).toBeGreaterThan(95);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    // The head went out with the first comment: it tells what was known then.
    expect(answer.headers.get('server-timing')).toMatch(/^queue;dur=\d{2,}, place;dur=0$/u);
    edge.host.serve('tiny', engine.url);
    const text = await answer.text();
    expect(text).toMatch(/^(?:: berth model=tiny phase=starting eta=\ds\n\n)+data: /u);
    expect(text.endsWith(STREAM_TEXT)).toBe(true);
  });

  test('is told that the engine has its request until the engine answers', async () => {
    await using edge = await TestEdge.start();
    const answers: ServerResponse[] = [];
    await using engine = await FakeEngine.start((_, response) => void answers.push(response));
    edge.host.endpoints = [starting('tiny')];
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    edge.host.serve('tiny', engine.url);
    await waitUntil('asked', () => answers.length === 1);
    let text = '';
    for await (const piece of answer.body ?? []) {
      text += Buffer.from(piece).toString();
      if (text.split('phase=ready').length > 3)
        answers.shift()?.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: [DONE]\n\n');
    }
    expect(text).toMatch(/^(?:: berth model=tiny phase=weights\n\n)+(?:: berth model=tiny phase=ready\n\n){3,}data: \[DONE\]\n\n$/u);
  });

  test('is told of a failure as an error of the stream once it has comments', async () => {
    await using edge = await TestEdge.start();
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    edge.host.fail('tiny', { code: 'ENGINE_START_FAILED', message: 'The weights are missing.', retryable: false });
    const text = await answer.text();
    await waitUntil('logged', () => edge.lines.length > 0);
    expect(edge.lines).toMatchObject([{ level: 'warn', message: 'request failed', fields: { status: 200, code: 'ENGINE_START_FAILED' } }]);
    expect(text).toMatch(
      /^(?:: berth .*\n\n)+data: \{"error":\{"message":"The weights are missing\.","type":"server_error","param":null,"code":"ENGINE_START_FAILED"\}\}\n\n$/u,
    );
  });

  test("is told of an engine's plain error as an error of the stream once it has comments", async () => {
    await using edge = await TestEdge.start();
    const error = { message: 'max_tokens must be at least 1, got -1.', type: 'BadRequestError', param: 'max_tokens', code: 400 };
    await using engine = await FakeEngine.start((_, response) =>
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error })),
    );
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    edge.host.serve('tiny', engine.url);
    const text = await answer.text();
    expect(text.endsWith(`data: ${JSON.stringify({ error })}\n\n`)).toBe(true);
    expect(text).not.toContain('[DONE]');
  });

  test.each([
    [400, 'invalid_request_error'],
    [503, 'overloaded_error'],
    [500, 'api_error'],
  ])("is told of an engine's plain %i in Anthropic's words once it has comments", async (status, type) => {
    await using edge = await TestEdge.start();
    const error = { type, message: 'max_tokens: too large' };
    await using engine = await FakeEngine.start((_, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ type: 'error', error })),
    );
    const answer = await edge.post('/v1/messages', { model: 'tiny', stream: true });
    edge.host.serve('tiny', engine.url);
    expect(await answer.text()).toMatch(
      new RegExp(`\n\nevent: error\ndata: ${RegExp.escape(JSON.stringify({ type: 'error', error }))}\n\n$`, 'u'),
    );
  });

  test("keeps an engine's own status while it has no comments", async () => {
    await using edge = await TestEdge.start({ yaml: TEST_CATALOG.replace('heartbeatAfter: 100ms', 'heartbeatAfter: 1m') });
    await using engine = await FakeEngine.start((_, response) =>
      response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{}}'),
    );
    const asking = edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    await waitUntil('waiting', () => edge.host.placing === 1);
    edge.host.serve('tiny', engine.url);
    expect((await asking).status).toBe(400);
  });

  test('is told at once when the learned time left outlasts its wait, with the true status while it is silent', async () => {
    await using edge = await TestEdge.start({ yaml: TEST_CATALOG.replace('heartbeatAfter: 100ms', 'heartbeatAfter: 1m') });
    edge.host.statuses.set(asId<ModelName>('tiny'), placementStatus({ stage: 'starting', etaMs: 500_000 }));
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '120']);
    expect(await answer.json()).toMatchObject({ error: { code: 'model_loading' } });
    expect(edge.host.wishes).toHaveLength(1);
  });

  test('is told so inside the stream when that is learned after its first comment', async () => {
    await using edge = await TestEdge.start({ yaml: TEST_CATALOG.replace('streamWait: 3s', 'streamWait: 1h') });
    const answer = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true }, { prefer: 'wait=60' });
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait=60']);
    edge.host.statuses.set(asId<ModelName>('tiny'), placementStatus({ stage: 'starting', etaMs: 500_000 }));
    expect(await answer.text()).toMatch(/^(?:: berth .*\n\n)+data: \{"error":.*"code":"model_loading"\}\}\n\n$/u);
  });

  test('is told at its deadline, as an error of the stream, and leaves a wish', async () => {
    await using edge = await TestEdge.start();
    const answer = await edge.post('/v1/messages', { model: 'tiny', stream: true }, { prefer: 'wait=1' });
    const text = await answer.text();
    expect(text).toMatch(/^(?:: berth .*\n\n)+event: error\ndata: \{"type":"error","error":\{"type":"overloaded_error"/u);
    expect(edge.host.wishes).toHaveLength(1);
  });
});

function placementStatus(fields: Pick<PlacementStatus, 'stage' | 'etaMs'>): PlacementStatus {
  return {
    model: asId<ModelName>('tiny'),
    reasons: [],
    updatedAtMs: Date.now(),
    detail: null,
    progress: null,
    phaseProgress: null,
    ...fields,
  };
}
