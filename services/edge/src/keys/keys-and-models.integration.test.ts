import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { errorEnvelopeSchema, modelSchema } from '@berth/contracts';
import { asId } from '@berth/core';
import type { ModelName } from '@berth/core';
import { claim, draining } from '../testing/builders.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { TEST_CATALOG, TestEdge } from '../testing/test-edge.ts';

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const KEYS = { all: 'key-of-all-1234', tiny: 'key-of-tiny-1234', use: 'key-that-uses-1234' };
const YAML = `${TEST_CATALOG}
keys:
  - { id: all, sha256: ${sha256(KEYS.all)} }
  - { id: tiny, sha256: ${sha256(KEYS.tiny)}, models: ["tiny"] }
  - { id: use, sha256: ${sha256(KEYS.use)}, rights: [use] }
`;
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** The model `plain` drains to make room for `tiny`. */
function drainPlainForTiny({ host }: TestEdge): void {
  const victim = draining('plain', { on: { 0: 100 } });
  host.endpoints.push(victim);
  host.claims.push(claim('tiny', { 0: 300 }, [victim]));
  const model = asId<ModelName>('tiny');
  host.wishes.push({ id: 'another', model, right: 'displace', kind: 'operator', arrivedMsAgo: 0, endsInMs: 60_000 });
  const status = { reasons: [], updatedAtMs: Date.now(), detail: null, progress: null, phaseProgress: null, etaMs: null };
  host.statuses.set(model, { model, stage: 'draining', ...status });
}

describe('the name of a model that makes room', () => {
  test.each([
    ['is told to a key that may use it', KEYS.all, true],
    ['is kept from a key that may not', KEYS.tiny, false],
  ])('%s: in comments, in what is said at the deadline, and in the model', async (_, key, told) => {
    await using edge = await TestEdge.start({ yaml: YAML });
    drainPlainForTiny(edge);
    const stream = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true }, { ...bearer(key), prefer: 'wait=1' });
    const text = await stream.text();
    expect(text).toContain('phase=draining');
    expect(text.includes('plain')).toBe(told);
    const late = await edge.post('/v1/chat/completions', { model: 'tiny' }, { ...bearer(key), prefer: 'wait=0' });
    const { error } = errorEnvelopeSchema.parse(await late.json());
    expect(error.message).toContain('must end first, to make room');
    expect(error.message.includes('plain')).toBe(told);
    const model = await fetch(`${edge.url}/v1/models/tiny`, { headers: bearer(key) });
    expect(modelSchema.parse(await model.json()).berth).toMatchObject({ phase: 'draining', victims: told ? ['plain'] : [] });
  });
});

describe('POST /v1/models/{id}/warm', () => {
  test.each([
    ['without a key', undefined, 'plain', 401, 'invalid_api_key'],
    ['with a key that may not use the model', KEYS.tiny, 'plain', 404, 'model_not_found'],
    ['with a key that may cause no start', KEYS.use, 'plain', 403, 'KEY_MAY_NOT_PLACE'],
  ])('%s is refused and leaves no wish', async (_, key, model, status, code) => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const answer = await edge.post(`/v1/models/${model}/warm`, {}, key === undefined ? {} : bearer(key));
    expect(answer.status).toBe(status);
    expect(errorEnvelopeSchema.parse(await answer.json()).error.code).toBe(code);
    expect(edge.host.wishes).toEqual([]);
  });

  test('leaves a wish with the right of its key', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    expect((await edge.post('/v1/models/tiny/warm', {}, bearer(KEYS.tiny))).status).toBe(202);
    expect(edge.host.wishes).toMatchObject([{ model: 'tiny', right: 'displace', kind: 'hint' }]);
  });
});

describe('a stored response', () => {
  test('is asked of the models alone that the key may use', async () => {
    await using edge = await TestEdge.start({ yaml: YAML });
    await using tiny = await FakeEngine.start((_, response) => response.writeHead(404).end('{}'));
    await using plain = await FakeEngine.start((_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"id":"resp_1"}'),
    );
    edge.host.serve('tiny', tiny.url);
    edge.host.serve('plain', plain.url);
    const ask = (key: string) => fetch(`${edge.url}/v1/responses/resp_1`, { headers: bearer(key) });
    expect((await fetch(`${edge.url}/v1/responses/resp_1`)).status).toBe(401);
    expect((await ask(KEYS.tiny)).status).toBe(404);
    expect(plain.seen).toHaveLength(0);
    expect(await (await ask(KEYS.all)).json()).toEqual({ id: 'resp_1' });
  });
});
