import { request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { chunkFrame, FakeEngine } from './testing/fake-engine.ts';
import { statusOf, valuesOf } from './testing/http-message.ts';
import { RawSocket } from './testing/raw-socket.ts';
import { TEST_CATALOG, TestEdge } from './testing/test-edge.ts';
import { waitUntil } from './testing/wait-until.ts';

test('a stream in flight is finished while the edge stops, and new connections are refused', async () => {
  await using edge = await TestEdge.start();
  const answers: ServerResponse[] = [];
  await using engine = await FakeEngine.start((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunkFrame('tiny', 'one'));
    answers.push(response);
  });
  edge.host.serve('tiny', engine.url);
  const stream = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });

  const closing = edge.close(10_000);
  await expect(fetch(`${edge.url}/health/live`)).rejects.toThrow();
  answers[0]?.end('data: [DONE]\n\n');
  expect(await stream.text()).toBe(`${chunkFrame('tiny', 'one')}data: [DONE]\n\n`);
  await closing;
  expect(edge.host.inFlight()).toBe(0);
});

test.each([
  ['plain requests', 'POST /v1/completions HTTP/1.1\r\nhost: e\r\ncontent-length: 16\r\n\r\n{"model":"tiny"}'],
  [
    'requests that Node reads',
    'POST /v1/completions HTTP/1.1\r\nhost: e\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"model":"tiny"}\r\n0\r\n\r\n',
  ],
  ['requests for Berth itself', 'GET /health/live HTTP/1.1\r\nhost: e\r\n\r\n'],
])('a kept connection with %s is served once more while the edge stops, and told that it ends', async (_, asking) => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start((_request, response) => response.writeHead(200).end('{}'));
  edge.host.serve('tiny', engine.url);
  const clients = await Promise.all(Array.from({ length: 10 }, () => RawSocket.connect(edge.port)));
  for (const client of clients) {
    client.write(asking);
    expect(valuesOf((await client.message()).headers, 'connection')).toEqual(['keep-alive']);
  }
  for (const client of clients) client.write(asking);
  const closing = edge.close(10_000);
  for (const client of clients) {
    const answer = await client.message();
    expect([statusOf(answer), valuesOf(answer.headers, 'connection')]).toEqual([200, ['close']]);
    await client.over();
    client.end();
  }
  await closing;
});

test.each([
  ['a plain request', 'POST /v1/completions HTTP/1.1\r\nhost: e\r\ncontent-length: 16\r\n\r\n{"model":"tiny"}'],
  [
    'a request that Node reads',
    'POST /v1/completions HTTP/1.1\r\nhost: e\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"model":"tiny"}\r\n0\r\n\r\n',
  ],
])('%s in flight while the edge stops is told in its answer that the connection ends', async (_, asking) => {
  await using edge = await TestEdge.start();
  const answers: ServerResponse[] = [];
  await using engine = await FakeEngine.start((_request, response) => void answers.push(response));
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  client.write(asking);
  await waitUntil('asked', () => answers.length === 1);
  const closing = edge.close(10_000);
  answers[0]?.writeHead(200).end('{}');
  const answer = await client.message();
  expect([statusOf(answer), valuesOf(answer.headers, 'connection')]).toEqual([200, ['close']]);
  await client.over();
  client.end();
  await closing;
});

test('what is still in flight after the grace is cut, at the engine too, and who waits for a model is told to come back', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(chunkFrame('tiny', 'one'));
  });
  edge.host.serve('tiny', engine.url);
  const stream = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
  const waiting = edge.post('/v1/chat/completions', { model: 'plain' });
  const heard = await edge.post('/v1/chat/completions', { model: 'plain', stream: true });
  await waitUntil('waiting', () => edge.host.waiters === 2);
  const lost = expect(stream.text()).rejects.toThrow();
  const closing = edge.close(1000);
  const told = await waiting;
  expect(told.status).toBe(503);
  expect(Number(told.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await heard.text()).toMatch(/^: berth .*data: \{"error":.*Ask again after Retry-After/s);
  await closing;
  await lost;
  await engine.seen[0]?.aborted;
  await waitUntil('forgotten', () => edge.host.waiters === 0 && edge.host.inFlight() === 0);
});

test('who is told to come back because the edge stops hears how long it waited, not how long it might have', async () => {
  await using edge = await TestEdge.start({ yaml: TEST_CATALOG.replace('wait: 2s', 'wait: 270s') });
  edge.host.leader = null;
  const waiting = edge.post('/v1/chat/completions', { model: 'tiny' });
  await waitUntil('waiting', () => edge.host.waiters === 1);
  const closing = edge.close(500);
  const told = await (await waiting).text();
  expect(told).toContain('could not be placed within');
  expect(told).not.toContain('270');
  await closing;
});

test('several requests on one connection are answered in turn', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start((_, response, body) => response.writeHead(200).end(body));
  edge.host.serve('tiny', engine.url);
  for (let round = 0; round < 3; round += 1) {
    const call = request(`${edge.url}/v1/completions`, { method: 'POST', headers: { connection: 'keep-alive' } });
    call.end(`{"model":"tiny","n":${round}}`);
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    expect(await text(response)).toBe(`{"model":"tiny","n":${round}}`);
  }
  expect(engine.connections).toBe(1);
});
