import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { adminStateSchema, errorEnvelopeSchema, modelListSchema, modelSchema } from '@berth/contracts';
import { asId } from '@berth/core';
import type { ModelName } from '@berth/core';
import { chatHandler, FakeEngine } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';

/** Sends a request target as it is, which `fetch` would tidy first. */
async function ask(edge: TestEdge, target: string, method = 'GET', body = ''): Promise<{ status: number; body: string }> {
  const socket = connect(edge.port, '127.0.0.1');
  socket.write(
    `${method} ${target} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const answer = await text(socket);
  return { status: Number(answer.split(' ')[1]), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
}

describe('what is not public', () => {
  test.each([
    '/sleep',
    '/wake_up',
    '/collective_rpc',
    '/invocations',
    '/inference/v1/generate',
    '/v1/chat/completions/render',
    '/v1/chat/completions/',
    '//v1/chat/completions',
    '/v1//chat/completions',
    '/v1/x/../chat/completions',
    '/v1/chat/completions/../../sleep',
    '/v1/chat%2Fcompletions',
    '/v1/responses/..%2f..%2fsleep/cancel?model=tiny',
    '/v1/responses/a%2Fb/cancel?model=tiny',
    '/%2e%2e/v1/chat/completions',
  ])('cannot be reached at %s', async (target) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    const { status, body } = await ask(edge, target, 'POST', '{"model":"tiny"}');
    expect(status).toBe(404);
    expect(errorEnvelopeSchema.safeParse(JSON.parse(body)).success).toBe(true);
    expect(engine.seen).toHaveLength(0);
  });

  test('a body with both a length and chunks is refused, so that two readers cannot disagree on where it ends', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    const socket = connect(edge.port, '127.0.0.1');
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nHost: edge\r\nContent-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"model":"tiny"}\r\n0\r\n\r\n',
    );
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /u);
    expect(engine.seen).toHaveLength(0);
  });
});

describe('an engine route', () => {
  test.each([
    '/v1/chat/completions',
    '/v1/chat/completions/batch',
    '/v1/completions',
    '/v1/embeddings',
    '/v2/embed',
    '/v2/rerank',
    '/generative_scoring',
    '/v1/systemone',
    '/v1/audio/speech',
    '/v1/responses',
    '/v1/messages',
    '/v1/messages/count_tokens',
    '/v1/rerank',
    '/v1/score',
    '/v1/classify',
    '/v1/pooling',
    '/tokenize',
    '/detokenize',
    '/pooling',
    '/score',
    '/rerank',
    '/classify',
  ])('%s reaches the engine with path and query as sent', async (path) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200).end('{}'));
    edge.host.serve('tiny', engine.url);
    expect((await edge.post(`${path}?a=b%2Fc`, { model: 'tiny' })).status).toBe(200);
    expect(engine.seen[0]).toMatchObject({ method: 'POST', url: `${path}?a=b%2Fc` });
  });

  test('of audio takes its model from the form', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200).end('{}'));
    edge.host.serve('tiny', engine.url);
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(3 * 1024 * 1024)]), 'speech.wav');
    form.append('model', 'tiny');
    expect((await fetch(`${edge.url}/v1/audio/transcriptions`, { method: 'POST', body: form })).status).toBe(200);
    expect(engine.seen[0]?.body.length).toBeGreaterThan(3 * 1024 * 1024);
  });

  test("keeps the client's key from the engine", async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    await edge.post(
      '/v1/chat/completions',
      { model: 'tiny' },
      { authorization: 'Bearer client-key', 'x-api-key': 'client-key', 'accept-encoding': 'br' },
    );
    const headers = engine.seen[0]?.headers;
    expect(JSON.stringify(headers)).not.toContain('client-key');
    expect(headers?.['accept-encoding']).toBe('br');
    expect(JSON.stringify(edge.lines)).not.toContain('client-key');
  });

  test.each([
    ['{"model":', 'could not be parsed'],
    ['[]', 'not a JSON object'],
    ['{}', 'names no model'],
    ['{"model":""}', 'names no model'],
    ['{"model":5}', 'not a string'],
  ])('refuses the body %s with 400', async (body, reason) => {
    await using edge = await TestEdge.start();
    const answer = await ask(edge, '/v1/chat/completions', 'POST', body);
    expect(answer.status).toBe(400);
    const { error } = errorEnvelopeSchema.parse(JSON.parse(answer.body));
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'INVALID_REQUEST' });
    expect(error.message).toContain(reason);
  });

  test('answers 404 for a model that is not in the catalog, in the form of its SDK', async () => {
    await using edge = await TestEdge.start();
    const openai = await edge.post('/v1/chat/completions', { model: 'nope' });
    expect(openai.status).toBe(404);
    expect(await openai.json()).toMatchObject({ error: { type: 'invalid_request_error', param: 'model', code: 'model_not_found' } });
    const anthropic = await edge.post('/v1/messages', { model: 'constructor' });
    expect(anthropic.status).toBe(404);
    expect(await anthropic.json()).toMatchObject({ type: 'error', error: { type: 'not_found_error' } });
  });

  test.each([
    ['/v1/chat/completions', 'POST', { error: { code: 'INVALID_REQUEST' } }],
    ['/v1/messages', 'POST', { type: 'error', error: { type: 'invalid_request_error' } }],
    ['/v1/responses/resp_1', 'GET', { error: { code: 'INVALID_REQUEST' } }],
  ])('answers another method on %s with 405, in the form of its SDK', async (path, allowed, body) => {
    await using edge = await TestEdge.start();
    const answer = await fetch(edge.url + path, { method: 'PUT' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe(allowed);
    expect(await answer.json()).toMatchObject(body);
  });
});

describe('GET /v1/models', () => {
  test('lists the catalog in the shape of OpenAI, with how far each model is', async () => {
    await using edge = await TestEdge.start();
    edge.host.statuses.set(asId<ModelName>('tiny'), {
      model: asId<ModelName>('tiny'),
      stage: 'pulling',
      reasons: [],
      updatedAtMs: Date.now(),
      detail: null,
      progress: null,
      phaseProgress: 0.5,
      etaMs: null,
    });
    edge.host.wishes.push({ id: 'one', model: asId('tiny'), right: 'displace', kind: 'operator', arrivedMsAgo: 0, endsInMs: 60_000 });
    const list = modelListSchema.parse(await (await fetch(`${edge.url}/v1/models`)).json());
    expect(list.data.map(({ id }) => id)).toEqual(['tiny', 'plain']);
    expect(list.data[0]?.berth).toMatchObject({
      state: 'placing',
      phase: 'pulling',
      progress: null,
      phaseProgress: 0.5,
      etaSeconds: null,
      aliases: ['gpt-4o-mini', 'org/alias'],
    });
    expect(list.data[1]?.berth).toMatchObject({ state: 'cold', engine: 'openai', gpus: 0 });
  });

  test.each(['/v1/models/tiny', '/v1/models/org/alias', '/v1/models/org%2Falias'])('finds one model at %s', async (path) => {
    await using edge = await TestEdge.start();
    expect(modelSchema.parse(await (await fetch(edge.url + path)).json()).id).toBe('tiny');
  });

  test('tells the catalog, without states, while Redis is away', async () => {
    await using edge = await TestEdge.start();
    edge.host.redisAway = true;
    const model = modelSchema.parse(await (await fetch(`${edge.url}/v1/models/tiny`)).json());
    expect(model.berth.state).toBe('unknown');
    expect((await fetch(`${edge.url}/v1/models/nope`)).status).toBe(404);
  });
});

describe('health', () => {
  test('is ready once this edge has synced and until it goes', async () => {
    await using edge = await TestEdge.start();
    edge.host.synced = false;
    expect((await fetch(`${edge.url}/health/ready`)).status).toBe(503);
    edge.host.synced = true;
    edge.host.failingSinceMs = Date.now() - 3000;
    const degraded = await fetch(`${edge.url}/health/ready`);
    expect(degraded.status).toBe(200);
    expect(await degraded.json()).toMatchObject({ status: 'ready', degraded: [{ code: 'REDIS_UNAVAILABLE' }] });
    edge.app.beginShutdown();
    expect((await fetch(`${edge.url}/health/ready`)).status).toBe(503);
    expect((await fetch(`${edge.url}/health/live`)).status).toBe(200);
  });

  test('of placement says why none goes on', async () => {
    await using edge = await TestEdge.start();
    expect((await fetch(`${edge.url}/health/placement`)).status).toBe(200);
    edge.host.leader = null;
    await using other = await TestEdge.start();
    other.host.leader = null;
    const leaderless = await fetch(`${other.url}/health/placement`);
    expect(leaderless.status).toBe(503);
    expect(await leaderless.json()).toMatchObject({ problems: [{ code: 'ORCHESTRATOR_UNAVAILABLE' }] });
    await using away = await TestEdge.start();
    away.host.redisAway = true;
    const redisless = await fetch(`${away.url}/health/placement`);
    expect(redisless.status).toBe(503);
    expect(await redisless.json()).toMatchObject({ status: 'failing', problems: [{ code: 'REDIS_UNAVAILABLE' }] });
  });

  test('of placement tells that learning is off without failing', async () => {
    await using edge = await TestEdge.start();
    edge.host.leader = { id: 'o', epoch: '1', sinceMs: 0, host: { updatedAtMs: 0, readingsAvailable: false, problems: [], gpus: [] } };
    const answer = await fetch(`${edge.url}/health/placement`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ status: 'degraded', degraded: [{ code: 'GPU_PROBE_FAILED' }] });
  });
});

describe('the admin API', () => {
  test('tells the state', async () => {
    await using edge = await TestEdge.start();
    const state = adminStateSchema.parse(await (await fetch(`${edge.url}/admin/v1/state`)).json());
    expect(state.models.map(({ name }) => name)).toEqual(['tiny', 'plain']);
  });

  test('notes loads and stops for the orchestrator', async () => {
    await using edge = await TestEdge.start();
    expect((await edge.post('/admin/v1/models/org%2Falias/load', {})).status).toBe(202);
    expect(edge.host.wishes).toMatchObject([{ model: 'tiny', kind: 'operator' }]);
    expect((await edge.post('/admin/v1/models/tiny/stop', { force: true })).status).toBe(202);
    expect((await fetch(`${edge.url}/admin/v1/stop`, { method: 'POST' })).status).toBe(202);
    expect(edge.host.stopRequests).toMatchObject([
      { target: { kind: 'model', model: 'tiny' }, force: true, deadlineMs: null },
      { target: { kind: 'all' }, force: false },
    ]);
    expect((await edge.post('/admin/v1/models/nope/stop', {})).status).toBe(404);
    expect((await edge.post('/admin/v1/stop', { forse: true })).status).toBe(400);
    expect(edge.host.stopRequests).toHaveLength(2);
    const large = await edge.post('/admin/v1/stop', { force: true, filler: 'x'.repeat(20_000) });
    expect([large.status, errorEnvelopeSchema.parse(await large.json()).error.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });

  test('has a page for people', async () => {
    await using edge = await TestEdge.start();
    const page = await fetch(`${edge.url}/`);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(await page.text()).toContain('<td>tiny</td>');
  });
});
