import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { chunkFrame, FakeEngine } from '../testing/fake-engine.ts';
import type { EngineHandler } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8' };

const catalogWithIdleTimeout = `
host: { runtime: process }
streams: { idleTimeout: 150ms }
requests: { timeout: 150ms }
models: { tiny: { source: org/tiny } }
`;

describe('a stream', () => {
  test.each([
    ['/v1/chat/completions', 'data: {"error":{"message":"', '","type":"server_error","param":null,"code":"ENGINE_EXITED"}}\n\n'],
    ['/v1/messages', 'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"', '"}}\n\n'],
    ['/v1/responses', 'event: error\ndata: {"type":"error","code":"ENGINE_EXITED","message":"', '","param":null,"sequence_number":0}\n\n'],
  ])('of %s whose engine dies ends with an error that its SDK raises, and without [DONE]', async (path, before, after) => {
    await using edge = await TestEdge.start();
    const frame = chunkFrame('tiny', 'word');
    await using engine = await FakeEngine.start((incoming, response) => {
      response.writeHead(200, EVENT_STREAM);
      response.write(frame, () => incoming.socket.resetAndDestroy());
    });
    edge.host.serve('tiny', engine.url);
    const text = await (await edge.post(path, { model: 'tiny', stream: true })).text();
    expect(text.startsWith(frame + before)).toBe(true);
    expect(text.endsWith(after)).toBe(true);
    expect(text).not.toContain('[DONE]');
  });

  test('that breaks inside a frame ends that frame before it tells the error', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((incoming, response) => {
      response.writeHead(200, EVENT_STREAM);
      response.write('data: {"id":"cut', () => incoming.socket.resetAndDestroy());
    });
    edge.host.serve('tiny', engine.url);
    const text = await (await edge.post('/v1/chat/completions', { model: 'tiny', stream: true })).text();
    expect(text).toMatch(/^data: \{"id":"cut\n\ndata: \{"error":/u);
  });

  test("passes the engine's own error frame on unchanged, [DONE] too, and logs that it was one", async () => {
    await using edge = await TestEdge.start();
    const frames =
      'data: {"error": {"message": "EngineCore encountered an issue.", "type": "InternalServerError", "param": null, "code": 500}}\n\ndata: [DONE]\n\n';
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, EVENT_STREAM).end(frames));
    edge.host.serve('tiny', engine.url);
    expect(await (await edge.post('/v1/chat/completions', { model: 'tiny', stream: true })).text()).toBe(frames);
    await waitUntil('line logged', () => edge.lines.length === 1);
    expect(edge.lines[0]?.fields).toMatchObject({ engineErrorFrame: true });
  });

  test('that sends comments only is ended by its idle timeout', async () => {
    await using edge = await TestEdge.start({ yaml: catalogWithIdleTimeout });
    await using engine = await FakeEngine.start((_, response) => {
      response.writeHead(200, EVENT_STREAM).write(`${chunkFrame('tiny', 'word')}: keep-alive\n\n`);
      const timer = setInterval(() => response.write(': keep-alive\n\n'), 20);
      response.on('close', () => clearInterval(timer));
    });
    edge.host.serve('tiny', engine.url);
    const text = await (await edge.post('/v1/chat/completions', { model: 'tiny', stream: true })).text();
    expect(text).toContain(': keep-alive');
    expect(text).toMatch(/data: \{"error":\{.*"code":"ENGINE_UNRESPONSIVE"\}\}\n\n$/u);
    await engine.seen[0]?.aborted;
    expect(edge.host.inFlight()).toBe(0);
  });

  test('that sends data more often than its idle timeout goes on', async () => {
    await using edge = await TestEdge.start({ yaml: catalogWithIdleTimeout });
    await using engine = await FakeEngine.start((_, response) => {
      response.writeHead(200, EVENT_STREAM);
      let frames = 0;
      const timer = setInterval(() => {
        response.write(chunkFrame('tiny', 'word'));
        if ((frames += 1) < 10) return;
        clearInterval(timer);
        response.end('data: [DONE]\n\n');
      }, 40);
    });
    edge.host.serve('tiny', engine.url);
    const text = await (await edge.post('/v1/chat/completions', { model: 'tiny', stream: true })).text();
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  test('asked for by alias tells the alias in every frame, and nothing else changes', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, EVENT_STREAM).end(streamOf('tiny')));
    edge.host.serve('tiny', engine.url, ['tiny', 'gpt-4o-mini']);
    const answer = await edge.post('/v1/chat/completions', { model: 'gpt-4o-mini', stream: true });
    expect(await answer.text()).toBe(streamOf('gpt-4o-mini'));
    expect(engine.seen[0]?.body.toString()).toContain('"model":"gpt-4o-mini"');
  });

  test('tells reverse proxies not to buffer it', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, EVENT_STREAM).end('data: [DONE]\n\n'));
    edge.host.serve('tiny', engine.url);
    const { headers } = await edge.post('/v1/chat/completions', { model: 'tiny', stream: true });
    expect(headers.get('x-accel-buffering')).toBe('no');
    expect(headers.get('cache-control')).toBe('no-cache, no-transform');
  });

  test('whose reader is slow holds the engine back instead of filling memory', async () => {
    await using edge = await TestEdge.start();
    const piece = Buffer.alloc(64 * 1024, 'x');
    const total = 64 * 1024 * 1024;
    let written = 0;
    await using engine = await FakeEngine.start((_, response) => {
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(total) });
      const more = (): void => {
        while (written < total) {
          written += piece.length;
          if (!response.write(piece)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    edge.host.serve('tiny', engine.url);
    const received = await new Promise<number>((resolve, reject) => {
      const call = request(
        `${edge.url}/v1/audio/speech`,
        { method: 'POST', headers: { 'content-type': 'application/json' } },
        (response) => {
          response.on('error', reject);
          response.pause();
          stalled(() => written).then((atStall) => {
            expect(atStall).toBeLessThan(total / 2);
            let bytes = 0;
            response
              .on('data', (data: Buffer) => (bytes += data.length))
              .on('end', () => resolve(bytes))
              .resume();
          }, reject);
        },
      );
      call.on('error', reject).end('{"model":"tiny"}');
    });
    expect(received).toBe(total);
  });
});

test('an answer asked for by alias tells the alias, and only from vLLM', async () => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start(naming('tiny'));
  await using plain = await FakeEngine.start(naming('plain'));
  edge.host.serve('tiny', engine.url, ['tiny', 'org/alias']);
  edge.host.serve('plain', plain.url, ['plain', 'plain-alias']);
  expect(await (await edge.post('/v1/completions', { model: 'org/alias' })).text()).toBe('{"model":"org/alias","content":"a"}');
  expect(await (await edge.post('/v1/completions', { model: 'plain-alias' })).text()).toBe('{"model":"plain","content":"a"}');
});

test('an engine that says nothing for too long makes a 504', async () => {
  await using edge = await TestEdge.start({ yaml: catalogWithIdleTimeout });
  await using engine = await FakeEngine.start(() => undefined);
  edge.host.serve('tiny', engine.url);
  const answer = await edge.post('/v1/chat/completions', { model: 'tiny' });
  expect(answer.status).toBe(504);
  expect(await answer.json()).toMatchObject({ error: { code: 'ENGINE_UNRESPONSIVE' } });
  await engine.seen[0]?.aborted;
});

/** A stream of two frames whose text looks like a member that is renamed. */
function streamOf(name: string): string {
  return `${chunkFrame(name, '"model":"tiny"')}${chunkFrame(name, 'b')}data: [DONE]\n\n`;
}

function naming(name: string): EngineHandler {
  return (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(`{"model":"${name}","content":"a"}`);
}

/** The value once it has not changed for a quarter of a second. */
async function stalled(read: () => number): Promise<number> {
  let last = -1;
  let since = performance.now();
  await waitUntil(
    'stalled',
    () => {
      const value = read();
      if (value !== last) since = performance.now();
      last = value;
      return performance.now() - since > 250;
    },
    20_000,
  );
  return last;
}
