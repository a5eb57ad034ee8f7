import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { closedUrl } from '../testing/closed-url.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import type { EngineHandler } from '../testing/fake-engine.ts';
import { statusOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const MIB = 1024 * 1024;
const ok: EngineHandler = (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}');

const smallLimits = `
host: { runtime: process }
bodies: { limit: 2MiB, waiting: 2MiB, retryLimit: 256KiB }
models: { tiny: { source: org/tiny } }
`;

describe('a large body', () => {
  test.each([
    ['with its model in front', (filler: string) => `{"model":"tiny","image":"${filler}"}`],
    ['with its model at the end', (filler: string) => `{"image":"${filler}","model":"tiny"}`],
  ])('%s reaches the engine byte for byte', async (_, body) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    const sent = body('x'.repeat(8 * MIB));
    const answer = await fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', body: sent });
    expect(answer.status).toBe(200);
    expect(engine.seen[0]?.body.equals(Buffer.from(sent))).toBe(true);
    expect(engine.seen[0]?.headers['content-length']).toBe(String(sent.length));
  });

  test('flows to the engine while it is still coming', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    const call = request(`${edge.url}/v1/chat/completions`, { method: 'POST' });
    call.write(`{"model":"tiny","image":"${'x'.repeat(3 * MIB)}`);
    await waitUntil('connected to the engine', () => engine.connections === 1);
    call.end('"}');
    const [response] = await once(call, 'response');
    response.resume();
    await once(response, 'end');
    expect(engine.seen[0]?.headers['transfer-encoding']).toBe('chunked');
    expect(engine.seen[0]?.body.length).toBe(3 * MIB + '{"model":"tiny","image":""}'.length);
  });

  test('is tried again only while none of it was sent', async () => {
    await using edge = await TestEdge.start({ retryPausesMs: [50, 50] });
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', await closedUrl());
    const asking = fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', body: `{"model":"tiny","image":"${'x'.repeat(3 * MIB)}"}` });
    await waitUntil('suspected', () => edge.host.suspected.length > 0);
    edge.host.serve('tiny', engine.url);
    expect((await asking).status).toBe(200);

    await using broken = await FakeEngine.start((incoming) => incoming.socket.resetAndDestroy());
    edge.host.serve('tiny', broken.url);
    const refused = await fetch(`${edge.url}/v1/chat/completions`, {
      method: 'POST',
      body: `{"model":"tiny","image":"${'x'.repeat(3 * MIB)}"}`,
    });
    expect(refused.status).toBe(502);
    expect(broken.seen).toHaveLength(1);
  });

  test.each([
    ['reads on', () => undefined],
    ['reads no further', (engine: RawSocket) => engine.socket.pause()],
  ])('that the engine answers before it has all of it, and %s, holds up neither the answer nor the next request', async (_, then) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start((connection) => {
      connection.socket.once('data', () => {
        connection.write('HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
        then(connection);
      });
    });
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    const body = Buffer.from(`{"model":"tiny","image":"${'x'.repeat(3 * MIB)}"}`);
    client.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`);
    client.write(body.subarray(0, MIB));
    expect(statusOf(await client.message())).toBe(400);
    client.write(body.subarray(MIB, 2 * MIB));
    client.write(body.subarray(2 * MIB));
    client.write('GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n');
    expect(statusOf(await client.message())).toBe(200);
  });

  test('whose client waits for 100 Continue is asked for it', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    const call = request(`${edge.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { expect: '100-continue', 'content-length': '16' },
    });
    call.flushHeaders();
    await once(call, 'continue');
    call.end('{"model":"tiny"}');
    const [response] = await once(call, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(engine.seen[0]?.headers.expect).toBeUndefined();
  });
});

describe('a body over the limit', () => {
  test('is refused by its declared length', async () => {
    await using edge = await TestEdge.start({ yaml: smallLimits });
    const answer = await fetch(`${edge.url}/v1/chat/completions`, {
      method: 'POST',
      body: `{"model":"tiny","a":"${'x'.repeat(3 * MIB)}"}`,
    });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({ error: { code: 'REQUEST_TOO_LARGE' } });
  });

  test('is refused when it turns out longer, and the engine gets no whole request', async () => {
    await using edge = await TestEdge.start({ yaml: smallLimits });
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    const call = request(`${edge.url}/v1/chat/completions`, { method: 'POST' });
    call.on('error', () => undefined);
    call.write(`{"model":"tiny","a":"${'x'.repeat(3 * MIB)}`);
    const [response] = await once(call, 'response');
    expect(response.statusCode).toBe(413);
    response.resume();
    call.destroy();
    expect(engine.seen).toHaveLength(0);
  });
});

test('bodies that wait share a budget, and those over it get 429', async () => {
  await using edge = await TestEdge.start({ yaml: smallLimits });
  await using engine = await FakeEngine.start(ok);
  const body = `{"image":"${'x'.repeat(1400 * 1024)}","model":"tiny"}`;
  const first = fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', body });
  await waitUntil('first waits', () => edge.host.waiters === 1);
  const second = await fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', body });
  expect(second.status).toBe(429);
  edge.host.serve('tiny', engine.url);
  expect((await first).status).toBe(200);
  edge.host.stop('tiny');
  const third = fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', body });
  await waitUntil('third waits', () => edge.host.waiters === 1);
  edge.host.serve('tiny', engine.url);
  expect((await third).status).toBe(200);
});

test('a large body that names another model at its end gets 400, and the engine no whole request', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start(ok);
  edge.host.serve('tiny', engine.url);
  edge.host.serve('plain', engine.url);
  for (const end of ['"plain"', 'null', '{}', '1']) {
    const answer = await fetch(`${edge.url}/v1/chat/completions`, {
      method: 'POST',
      body: `{"model":"tiny","image":"${'x'.repeat(3 * MIB)}","model":${end}}`,
    });
    expect(answer.status).toBe(400);
  }
  expect(engine.seen).toHaveLength(0);
  const same = await fetch(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    body: `{"model":"tiny","image":"${'x'.repeat(3 * MIB)}","model":"tiny"}`,
  });
  expect(same.status).toBe(200);
});

test('a body whose client goes silent gets 408 and holds nothing for ever', async () => {
  await using edge = await TestEdge.start({ yaml: `${smallLimits}\nrequests: { bodyIdleTimeout: 100ms }\n` });
  await using engine = await FakeEngine.start(ok);
  edge.host.serve('tiny', engine.url);
  for (const begin of ['{"model":', `{"model":"tiny","a":"${'x'.repeat(MIB)}`]) {
    const call = request(`${edge.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-length': String(2 * MIB) } });
    call.on('error', () => undefined);
    call.write(begin);
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(408);
    expect(JSON.parse(await text(response))).toMatchObject({ error: { code: 'REQUEST_TIMEOUT' } });
    call.destroy();
  }
  await waitUntil('slots ended', () => edge.host.inFlight() === 0);
  expect(engine.seen).toHaveLength(0);
});

test('a compressed body gets 400, since no engine decodes it', async () => {
  await using edge = await TestEdge.start();
  const answer = await fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', body: 'x', headers: { 'content-encoding': 'gzip' } });
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain('Content-Encoding');
});
