import { describe, expect, test } from 'vitest';
import { errorEnvelopeSchema, modelSchema } from '@berth/contracts';
import { asId } from '@berth/core';
import { chatHandler, FakeEngine } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';

async function warm(edge: TestEdge, id: string): Promise<Response> {
  return fetch(`${edge.url}/v1/models/${id}/warm`, { method: 'POST' });
}

describe('POST /v1/models/{id}/warm', () => {
  test.each(['tiny', 'org/alias', 'org%2Falias'])('of %s answers at once, and leaves a wish until the model may be loaded', async (id) => {
    await using edge = await TestEdge.start();
    const answer = await warm(edge, id);
    expect(answer.status).toBe(202);
    expect(modelSchema.parse(await answer.json())).toMatchObject({ id: 'tiny', berth: { state: 'placing', phase: 'queued' } });
    expect(edge.host.wishes).toMatchObject([{ model: 'tiny', kind: 'hint', right: 'displace', endsInMs: 1_800_000 }]);
    expect(edge.host.waiters).toBe(0);
    expect(edge.host.placing).toBe(0);
  });

  test('leaves one wish, however often it is called', async () => {
    await using edge = await TestEdge.start();
    for (let call = 0; call < 20; call += 1) await warm(edge, call % 2 === 0 ? 'tiny' : 'gpt-4o-mini');
    expect(new Set(edge.host.wishes.map((wish) => wish.id)).size).toBe(1);
  });

  test('of a model that is ready is 200, counts as a use, and leaves no wish', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    const answer = await warm(edge, 'tiny');
    expect(answer.status).toBe(200);
    expect(modelSchema.parse(await answer.json()).berth).toMatchObject({ state: 'ready', phase: null });
    expect([edge.host.begun, edge.host.inFlight()]).toEqual([1, 0]);
    expect(edge.host.wishes).toEqual([]);
    expect(engine.seen).toEqual([]);
  });

  test('of a model that backs off tells the cause and when to come back, and leaves no wish', async () => {
    await using edge = await TestEdge.start();
    const failure = { code: 'ENGINE_START_FAILED', message: 'The weights are missing.', retryable: false } as const;
    edge.host.quarantines.push({ model: asId('tiny'), failures: 2, untilMs: Date.now() + 40_000, failure });
    const answer = await warm(edge, 'tiny');
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(38);
    expect(errorEnvelopeSchema.parse(await answer.json()).error).toMatchObject({
      code: 'ENGINE_START_FAILED',
      message: 'The weights are missing.',
    });
    expect(edge.host.wishes).toEqual([]);
  });

  test('of an unknown model is 404, without Redis 503', async () => {
    await using edge = await TestEdge.start();
    const unknown = await warm(edge, 'nope');
    expect(unknown.status).toBe(404);
    expect(errorEnvelopeSchema.parse(await unknown.json()).error.code).toBe('model_not_found');
    edge.host.redisAway = true;
    const away = await warm(edge, 'tiny');
    expect(away.status).toBe(503);
    expect(away.headers.get('retry-after')).toBe('5');
    expect(errorEnvelopeSchema.parse(await away.json()).error.code).toBe('REDIS_UNAVAILABLE');
  });
});
