import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { FakeEngine } from '../testing/fake-engine.ts';
import type { EngineHandler } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const MIB = 1024 * 1024;
const ok: EngineHandler = (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
const headers = { 'content-type': 'multipart/form-data; boundary=b' };

const smallLimits = `
host: { runtime: process }
bodies: { limit: 2MiB, waiting: 2MiB, retryLimit: 256KiB }
models: { tiny: { source: org/tiny } }
`;

describe('a form', () => {
  test.each([
    ['in front of', `${form('', 'tiny')}${file(5 * MIB)}--b--\r\n`],
    ['behind', `${form(file(5 * MIB), 'tiny')}--b--\r\n`],
    ['behind a small', `${form(file(1000), 'tiny')}--b--\r\n`],
  ])('with its model %s its file reaches the engine byte for byte', async (_, sent) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    const answer = await fetch(`${edge.url}/v1/audio/transcriptions`, { method: 'POST', body: sent, headers });
    expect(answer.status).toBe(200);
    expect(engine.seen[0]?.body.equals(Buffer.from(sent))).toBe(true);
    expect(engine.seen[0]?.headers['content-type']).toBe(headers['content-type']);
  });

  test('with its model in front flows to the engine while its file is still coming', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    const whole = `${form('', 'tiny')}${file(5 * MIB)}--b--\r\n`;
    const call = request(`${edge.url}/v1/audio/translations`, {
      method: 'POST',
      headers: { ...headers, 'content-length': String(whole.length) },
    });
    call.write(whole.slice(0, 1000));
    await waitUntil('connected to the engine', () => engine.connections === 1);
    call.end(whole.slice(1000));
    const [response] = await once(call, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(engine.seen[0]?.body.toString()).toBe(whole);
  });

  test.each([
    ['names another model behind its file', `${form(`${form('', 'tiny')}${file(3 * MIB)}`, 'plain')}--b--\r\n`],
    ['breaks off behind its boundary', `${form('', 'tiny')}${file(3 * MIB)}--bx\r\n`],
  ])('that %s gets 400, and the engine no whole request', async (_, sent) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(ok);
    edge.host.serve('tiny', engine.url);
    edge.host.serve('plain', engine.url);
    const answer = await fetch(`${edge.url}/v1/audio/transcriptions`, { method: 'POST', body: sent, headers });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'INVALID_REQUEST' } });
    expect(engine.seen).toHaveLength(0);
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
  });

  test('that does not end gets 400', async () => {
    await using edge = await TestEdge.start();
    const answer = await fetch(`${edge.url}/v1/audio/transcriptions`, { method: 'POST', body: form(file(10), 'tiny'), headers });
    expect(answer.status).toBe(400);
  });

  test('whose `stream` is true waits as a stream does', async () => {
    await using edge = await TestEdge.start();
    const stream = '--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\nTrue\r\n';
    const answer = await fetch(`${edge.url}/v1/audio/transcriptions`, {
      method: 'POST',
      body: `${form(stream, 'tiny')}${file(10)}--b--\r\n`,
      headers,
    });
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
    await answer.body?.cancel();
  });

  test('whose model has not come yet is held within the budget that all bodies share', async () => {
    await using edge = await TestEdge.start({ yaml: smallLimits });
    const begin = file(1200 * 1024);
    const calls = Array.from({ length: 2 }, () => {
      const call = request(`${edge.url}/v1/audio/transcriptions`, {
        method: 'POST',
        headers: { ...headers, 'content-length': String(2 * MIB) },
      });
      call.on('error', () => undefined);
      call.write(begin);
      return call;
    });
    const [response] = (await Promise.race(calls.map((call) => once(call, 'response')))) as [IncomingMessage];
    expect(response.statusCode).toBe(429);
    expect(response.headers['retry-after']).toBeDefined();
    expect(await text(response)).toMatch(/put `model` in front of files/u);
    for (const call of calls) call.destroy();
    await waitUntil('both forgotten', () => edge.lines.length === 2);
    const again = await fetch(`${edge.url}/v1/audio/transcriptions`, { method: 'POST', body: `${form(begin, 'nope')}--b--\r\n`, headers });
    expect(again.status).toBe(404);
  });
});

function form(parts: string, model: string): string {
  return `${parts}--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}\r\n`;
}

function file(bytes: number): string {
  return `--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n${'x'.repeat(bytes)}\r\n`;
}
