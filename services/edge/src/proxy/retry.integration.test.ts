import { expect, test } from 'vitest';
import { closedUrl } from '../testing/closed-url.ts';
import { chatHandler, FakeEngine } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

test('an endpoint that refuses connections is tried again, and its successor answers', async () => {
  await using edge = await TestEdge.start({ retryPausesMs: [50, 50] });
  await using engine = await FakeEngine.start(chatHandler('tiny'));
  const dead = edge.host.serve('tiny', await closedUrl());
  const asking = edge.post('/v1/chat/completions', { model: 'tiny' });
  await waitUntil('suspected', () => edge.host.suspected.length > 0);
  edge.host.serve('tiny', engine.url);

  expect((await asking).status).toBe(200);
  expect(edge.host.suspected).toEqual([dead.generation]);
  await waitUntil('slots ended', () => edge.host.inFlight() === 0);
  expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'answered', attempts: 2 });
});

test('three attempts that refuse make a 502 that says so', async () => {
  await using edge = await TestEdge.start();
  edge.host.serve('tiny', await closedUrl());
  const answer = await edge.post('/v1/chat/completions', { model: 'tiny' });
  expect(answer.status).toBe(502);
  expect(await answer.json()).toMatchObject({ error: { code: 'ENGINE_EXITED', type: 'server_error' } });
  expect(edge.host.ended).toBe(3);
});

test('an engine that resets the connection before the first byte is asked again', async () => {
  await using edge = await TestEdge.start();
  const answer = chatHandler('tiny');
  let resets = 0;
  await using engine = await FakeEngine.start((request, response, body) => {
    if (resets === 2) return answer(request, response, body);
    resets += 1;
    request.socket.resetAndDestroy();
  });
  edge.host.serve('tiny', engine.url);
  const response = await edge.post('/v1/chat/completions', { model: 'tiny' });
  expect(response.status).toBe(200);
  expect(engine.seen.map(({ body }) => body.toString())).toEqual(Array.from({ length: 3 }, () => '{"model":"tiny"}'));
});

test('an endpoint that answers 410 is asked no more', async () => {
  await using edge = await TestEdge.start({ retryPausesMs: [50, 50] });
  await using gone = await FakeEngine.start((_, response) => response.writeHead(410).end('gone'));
  await using engine = await FakeEngine.start(chatHandler('tiny'));
  edge.host.serve('tiny', gone.url);
  const asking = edge.post('/v1/chat/completions', { model: 'tiny' });
  await waitUntil('suspected', () => edge.host.suspected.length > 0);
  edge.host.serve('tiny', engine.url);
  expect((await asking).status).toBe(200);
  expect(gone.seen).toHaveLength(1);
});

test('an endpoint that is gone meanwhile is placed again', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start(chatHandler('tiny'));
  await using silent = await FakeEngine.start(() => undefined);
  edge.host.serve('tiny', silent.url);
  const asking = edge.post('/v1/chat/completions', { model: 'tiny' });
  await silent.next();
  edge.host.stop('tiny', true);
  await waitUntil('placed again', () => edge.host.placed.length === 1);
  edge.host.serve('tiny', engine.url);
  const answer = await asking;
  expect(answer.status).toBe(200);
  expect(answer.headers.get('server-timing')).toMatch(/^queue;dur=\d+, place;dur=\d+$/u);
});

test('nothing is asked again after the first byte', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
    response.write('{"id":', () => request.socket.resetAndDestroy());
  });
  edge.host.serve('tiny', engine.url);
  const answer = await edge.post('/v1/chat/completions', { model: 'tiny' });
  await expect(answer.text()).rejects.toThrow();
  expect(engine.seen).toHaveLength(1);
  await waitUntil('line logged', () => edge.lines.length === 1);
  expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'broken', code: 'ENGINE_EXITED' });
});

test('a kept-alive socket that the engine closed at the same moment costs nobody an answer, and is no sign against the endpoint', async () => {
  await using edge = await TestEdge.start({ retryPausesMs: [60_000, 60_000] });
  let answered = 0;
  const answer = chatHandler('tiny');
  await using engine = await FakeEngine.start((request, response, body) => {
    // Every socket serves one request; the second on it meets a reset, as if the close had been on its way.
    const { socket } = request;
    if (used.has(socket)) {
      socket.resetAndDestroy();
      return;
    }
    used.add(socket);
    answered += 1;
    answer(request, response, body);
  });
  const used = new WeakSet<object>();
  edge.host.serve('tiny', engine.url);
  for (let round = 0; round < 3; round += 1) expect((await edge.post('/v1/chat/completions', { model: 'tiny' })).status).toBe(200);
  expect(answered).toBe(3);
  expect(edge.host.suspected).toEqual([]);
  expect(edge.lines.map(({ fields }) => fields['cold'])).toEqual([false, false, false]);
});

test('sockets to an endpoint are closed before its lease is given back', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start(chatHandler('tiny'));
  edge.host.serve('tiny', engine.url);
  await (await edge.post('/v1/chat/completions', { model: 'tiny' })).text();
  expect(engine.sockets.size).toBe(1);
  await edge.host.endLease('tiny');
  await waitUntil('sockets closed', () => engine.sockets.size === 0, 1000);
});
