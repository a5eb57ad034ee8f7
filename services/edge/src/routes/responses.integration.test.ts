import OpenAI, { NotFoundError } from 'openai';
import { describe, expect, test } from 'vitest';
import { errorEnvelopeSchema } from '@berth/contracts';
import { FakeEngine } from '../testing/fake-engine.ts';
import type { EngineHandler } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const STORED = { id: 'resp_1', object: 'response', status: 'completed', model: 'tiny', output: [] };
const unknownHere: EngineHandler = (_, response) =>
  response
    .writeHead(404, { 'content-type': 'application/json' })
    .end('{"error":{"message":"Response with id \'resp_1\' not found.","type":"invalid_request_error","param":"response_id","code":404}}');
const knows: EngineHandler = (_, response) =>
  response.writeHead(200, { 'content-type': 'application/json', 'x-engine': 'yes' }).end(JSON.stringify(STORED));
const rejects: EngineHandler = (_, response) => response.writeHead(400, { 'content-type': 'application/json' }).end('{}');
const redirects: EngineHandler = (_, response) => response.writeHead(307, { location: 'http://10.0.0.7:8000/' }).end();

/** An edge with two models that are ready; `plain` was used last. */
async function twoModels(handlers: { readonly tiny: EngineHandler; readonly plain: EngineHandler }) {
  const edge = await TestEdge.start();
  const [tiny, plain] = await Promise.all([FakeEngine.start(handlers.tiny), FakeEngine.start(handlers.plain)]);
  edge.host.serve('tiny', tiny.url);
  edge.host.serve('plain', plain.url);
  edge.host.use('tiny', 1000);
  edge.host.use('plain', 2000);
  const get = (rest = '/resp_1') => fetch(`${edge.url}/v1/responses${rest}`);
  const dispose = async (): Promise<void> => {
    await edge[Symbol.asyncDispose]();
    await Promise.all([tiny[Symbol.asyncDispose](), plain[Symbol.asyncDispose]()]);
  };
  return { edge, tiny, plain, get, [Symbol.asyncDispose]: dispose };
}

describe('a stored response', () => {
  test('is answered, untouched, by the engine that knows its id', async () => {
    await using host = await twoModels({ tiny: knows, plain: unknownHere });
    const answer = await host.get('/resp_1?include[]=usage');
    expect([answer.status, answer.headers.get('x-engine')]).toEqual([200, 'yes']);
    expect(await answer.json()).toEqual(STORED);
    expect([host.plain.seen.length, host.tiny.seen.length]).toEqual([1, 1]);
    expect(host.tiny.seen[0]).toMatchObject({ method: 'GET', url: '/v1/responses/resp_1?include[]=usage' });
    expect(host.edge.host.inFlight()).toBe(0);
    const [line] = host.edge.lines;
    expect(line?.fields).toMatchObject({
      route: '/v1/responses/:id{[A-Za-z0-9_-]+}',
      model: 'tiny',
      outcome: 'answered',
      attempts: 2,
      status: 200,
    });
  });

  test('is asked of the engine that answered for it before, and of that alone', async () => {
    await using host = await twoModels({ tiny: knows, plain: unknownHere });
    for (let poll = 0; poll < 5; poll += 1) expect((await host.get()).status).toBe(200);
    expect([host.plain.seen.length, host.tiny.seen.length]).toEqual([1, 5]);
  });

  test('is asked of the model that the query names, and of no other', async () => {
    await using host = await twoModels({ tiny: unknownHere, plain: knows });
    expect((await host.get('/resp_1?model=gpt-4o-mini')).status).toBe(404);
    expect([host.plain.seen.length, host.tiny.seen.length]).toEqual([0, 1]);
    expect((await host.get('/resp_1?model=nope')).status).toBe(404);
    expect((await host.get('/resp_1?model=plain')).status).toBe(200);
  });

  test('streams, also from where the client left off', async () => {
    const frames = 'event: response.created\ndata: {"type":"response.created","sequence_number":3}\n\n';
    const streams: EngineHandler = (_, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(frames);
    await using host = await twoModels({ tiny: streams, plain: unknownHere });
    const answer = await host.get('/resp_1?stream=true&starting_after=2');
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    expect(await answer.text()).toBe(frames);
    expect(host.tiny.seen[0]?.url).toBe('/v1/responses/resp_1?stream=true&starting_after=2');
  });

  test('is cancelled where it is known, and what its engine says of that is passed on', async () => {
    const refusal = { error: { message: 'Cannot cancel a synchronous response.', type: 'invalid_request_error', param: null, code: 400 } };
    const refuses: EngineHandler = (_, response) =>
      response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
    await using host = await twoModels({ tiny: refuses, plain: unknownHere });
    const answer = await fetch(`${host.edge.url}/v1/responses/resp_1/cancel`, { method: 'POST', body: '{}' });
    expect([answer.status, await answer.json()]).toEqual([400, refusal]);
    expect(host.tiny.seen[0]).toMatchObject({ method: 'POST', url: '/v1/responses/resp_1/cancel', body: Buffer.from('{}') });
  });

  test('that nobody knows is 404 in the form of OpenAI, and starts no model', async () => {
    await using host = await twoModels({ tiny: unknownHere, plain: (_, response) => response.writeHead(405).end() });
    const answer = await host.get();
    expect(answer.status).toBe(404);
    expect(errorEnvelopeSchema.parse(await answer.json()).error).toMatchObject({
      type: 'invalid_request_error',
      param: 'response_id',
      code: 'RESPONSE_NOT_FOUND',
    });
    host.edge.host.stop('tiny');
    host.edge.host.stop('plain');
    expect((await host.get()).status).toBe(404);
    expect([host.edge.host.placed, host.edge.host.wishes, host.edge.host.waiters]).toEqual([[], [], 0]);
  });

  test.each<[string, EngineHandler, number]>([
    ['fails', (_, response) => response.writeHead(500).end('{}'), 502],
    ['closes without an answer', (request) => request.socket.resetAndDestroy(), 502],
  ])('is not said to be missing while an engine %s, unless another has it', async (_, broken, status) => {
    await using host = await twoModels({ tiny: unknownHere, plain: broken });
    const answer = await host.get();
    expect(answer.status).toBe(status);
    expect(errorEnvelopeSchema.parse(await answer.json()).error.code).toBe('ENGINE_EXITED');
    host.tiny.handler = knows;
    expect((await host.get()).status).toBe(200);
    expect(host.edge.host.inFlight()).toBe(0);
  });

  test('is told by the official client, and what is missing as its own error', async () => {
    await using host = await twoModels({ tiny: knows, plain: unknownHere });
    const client = new OpenAI({ baseURL: `${host.edge.url}/v1`, apiKey: 'any', maxRetries: 0 });
    expect((await client.responses.retrieve('resp_1')).id).toBe('resp_1');
    expect((await client.responses.cancel('resp_1')).id).toBe('resp_1');
    host.tiny.handler = unknownHere;
    await expect(client.responses.retrieve('resp_2')).rejects.toBeInstanceOf(NotFoundError);
  });

  test('whose id an engine refuses is asked of all of them again: it may be another that knows it', async () => {
    await using host = await twoModels({ tiny: rejects, plain: unknownHere });
    for (let poll = 0; poll < 2; poll += 1) expect((await host.get()).status).toBe(400);
    expect([host.plain.seen.length, host.tiny.seen.length]).toEqual([2, 2]);
  });

  test('is told of a redirect that its engine answers with as that', async () => {
    await using host = await twoModels({ tiny: redirects, plain: unknownHere });
    const answer = await host.get();
    expect([answer.status, errorEnvelopeSchema.parse(await answer.json()).error.code]).toEqual([502, 'ENGINE_REDIRECTED']);
  });

  test('is cancelled with a small body only, whatever the limit of others is', async () => {
    await using host = await twoModels({ tiny: knows, plain: unknownHere });
    const answer = await fetch(`${host.edge.url}/v1/responses/resp_1/cancel`, { method: 'POST', body: 'x'.repeat(70_000) });
    const { message } = errorEnvelopeSchema.parse(await answer.json()).error;
    expect([answer.status, message]).toEqual([413, "The request's body is larger than 65536 bytes. Send a smaller one."]);
  });

  test('is let go at its engine when the client leaves', async () => {
    await using host = await twoModels({ tiny: () => undefined, plain: unknownHere });
    const leaving = new AbortController();
    const asking = fetch(`${host.edge.url}/v1/responses/resp_1`, { signal: leaving.signal }).catch(() => 'left');
    await waitUntil('asked', () => host.tiny.seen.length === 1);
    leaving.abort();
    expect(await asking).toBe('left');
    await host.tiny.seen[0]?.aborted;
    await waitUntil('counted out', () => host.edge.host.inFlight() === 0);
  });

  test('is asked for while Redis is away as well, and its other methods are refused', async () => {
    await using host = await twoModels({ tiny: knows, plain: unknownHere });
    expect((await host.get()).status).toBe(200);
    host.edge.host.redisAway = true;
    expect((await host.get()).status).toBe(200);
    const removing = await fetch(`${host.edge.url}/v1/responses/resp_1`, { method: 'DELETE' });
    expect([removing.status, removing.headers.get('allow')]).toEqual([405, 'GET']);
  });
});
