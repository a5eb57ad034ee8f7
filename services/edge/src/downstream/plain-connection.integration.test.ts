import { describe, expect, test } from 'vitest';
import { chunkFrame, FakeEngine } from '../testing/fake-engine.ts';
import { statusOf, valuesOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';

function post(n: number, headers = '', padding = ''): string {
  const body = `{"model":"tiny","n":${n},"text":"${padding}"}`;
  return `POST /v1/completions HTTP/1.1\r\nHost: edge\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** An engine that says the body again. */
const echo = () => FakeEngine.start((_, response, body) => response.writeHead(200, { 'content-length': body.length }).end(body));

describe('one connection of a client', () => {
  test.each([
    ['none', []],
    ['another route', ['GET /health/live HTTP/1.1\r\nHost: e\r\n\r\n']],
    ['a large body', [post(7, '', 'x'.repeat(70_000))]],
    ['chunks', ['POST /v1/completions HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"model":"tiny"}\r\n0\r\n\r\n']],
    ['an expectation', [post(7, 'Expect: 100-continue\r\n')]],
  ])('serves on whatever kinds of requests come one after the other, with %s among them', async (_, others) => {
    await using edge = await TestEdge.start();
    await using engine = await echo();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (const request of [post(1), post(2), ...others, post(3), ...others, post(4)]) {
      client.write(request);
      let answer = await client.message({ bodiless: false });
      if (statusOf(answer) === 100) answer = await client.message();
      expect(statusOf(answer)).toBe(200);
    }
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
    expect(edge.lines.filter(({ message }) => message === 'request served').length).toBeGreaterThanOrEqual(4);
  });

  test('gets the answers to requests that it sends at once in their order, and one after the other', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post(1) + post(2) + post(3));
    const connection = await engine.connection();
    for (const n of [1, 2, 3]) {
      expect(JSON.parse((await connection.message()).body.toString())).toMatchObject({ n });
      expect(connection.received).toHaveLength(0);
      connection.write(OK);
      expect(statusOf(await client.message())).toBe(200);
    }
    expect(engine.connections).toHaveLength(1);
  });

  test('is not read any further while a client sends far ahead of its answers, and nothing is lost', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    const count = 400;
    const padding = 'x'.repeat(50_000);
    for (let n = 0; n < count; n += 1) client.write(post(n, '', padding));
    const connection = await engine.connection();
    const first = await connection.message();
    expect(JSON.parse(first.body.toString())).toMatchObject({ n: 0 });
    await new Promise(setImmediate);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    connection.write(OK);
    for (let n = 1; n < count; n += 1) {
      expect(JSON.parse((await connection.message()).body.toString())).toMatchObject({ n });
      connection.write(OK);
    }
    for (let n = 0; n < count; n += 1) expect(statusOf(await client.message())).toBe(200);
  });

  test('loses no byte and no order of requests that it sent far ahead when one of them is not plain', async () => {
    await using edge = await TestEdge.start();
    await using engine = await echo();
    edge.host.serve('tiny', engine.url);
    const live = 'GET /health/live HTTP/1.1\r\nHost: e\r\n\r\n';
    const sizes = [0, 20_000, null, 70_000, 0, 20_000, 200_000, 20_000, 3000];
    for (let round = 0; round < 20; round += 1) {
      using client = await RawSocket.connect(edge.port);
      client.write(sizes.map((size, n) => (size === null ? live : post(n, '', 'x'.repeat(size)))).join(''));
      for (const [n, size] of sizes.entries()) {
        const answer = await client.message();
        expect(statusOf(answer)).toBe(200);
        if (size !== null) expect(JSON.parse(answer.body.toString())).toEqual({ model: 'tiny', n, text: 'x'.repeat(size) });
      }
    }
  });

  test('has no further request served while its client takes no answers', async () => {
    await using edge = await TestEdge.start();
    const text = Buffer.alloc(20_000, 'x');
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, { 'content-length': text.length }).end(text));
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.socket.pause();
    const count = 2000;
    client.write(Array.from({ length: count }, (_, n) => post(n)).join(''));
    // Until as many are served as others ask for.
    for (let before = -1; engine.seen.length !== before + 5;) {
      before = engine.seen.length;
      for (let n = 0; n < 5; n += 1) await edge.post('/v1/completions', { model: 'tiny' }).then((answer) => answer.arrayBuffer());
    }
    const seen = engine.seen.length;
    expect(seen).toBeLessThan(count);
    client.socket.resume();
    await waitUntil('all are answered', () => client.bytesReceived > count * text.length, 20_000);
  });

  test.each(['\r\n', 'nonsense\r\n\r\n', 'GET /health/live HTTP/1.1\r\nHost: e\r\n\r\n'])(
    'gets its answer first when %j comes behind a request',
    async (behind) => {
      await using edge = await TestEdge.start();
      await using engine = await RawEngine.start();
      edge.host.serve('tiny', engine.url);
      using client = await RawSocket.connect(edge.port);
      client.write(post(1) + behind);
      const connection = await engine.connection();
      await connection.message();
      connection.write(OK);
      expect((await client.message()).body.toString()).toBe('{}');
      if (behind.length > 2) expect(statusOf(await client.message())).toBe(behind.startsWith('GET') ? 200 : 400);
    },
  );
});

describe('an answer on it', () => {
  test('says that the connection stays, when it was made, and where it ends', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => {
      response.sendDate = false;
      response.write('one');
      setImmediate(() => response.end('two'));
    });
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post(1));
    const answer = await client.message();
    expect(answer.framing).toBe('chunked');
    expect(answer.body.toString()).toBe('onetwo');
    expect(valuesOf(answer.headers, 'connection')).toEqual(['keep-alive']);
    expect(valuesOf(answer.headers, 'keep-alive')).toEqual(['timeout=75']);
    expect(Math.abs(Date.parse(valuesOf(answer.headers, 'date')[0] ?? '') - Date.now())).toBeLessThan(60_000);
  });

  test.each([
    ['204 No Content', '', 'none'],
    ['304 Not Modified', '', 'none'],
    ['200 All right', 'content-length: 0\r\n', 'length'],
    ['299 ', 'content-length: 0\r\n', 'length'],
    ['418 \xe9t\xe9', 'content-length: 0\r\n', 'length'],
  ])('with %s has no body, and the next one follows', async (status, headers, framing) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(Buffer.from(`HTTP/1.1 ${status}\r\n${headers}\r\n`, 'latin1'));
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (const n of [1, 2]) {
      client.write(post(n));
      const answer = await client.message({ bodiless: framing === 'none' });
      expect(answer.startLine).toBe(`HTTP/1.1 ${status}`);
      expect(answer.body).toHaveLength(0);
    }
  });

  test('that is a stream sends its head before its first event, and each event at once', async () => {
    await using edge = await TestEdge.start();
    const send: ((text: string) => void)[] = [];
    await using engine = await FakeEngine.start((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      send.push((text) => void response.write(text));
    });
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post(1));
    await waitUntil('head', () => client.received.includes('\r\n\r\n'));
    for (const text of ['one', 'two']) {
      send[0]?.(chunkFrame('tiny', text));
      await waitUntil(text, () => client.received.includes(text));
    }
    client.reset();
    await engine.seen[0]?.aborted;
  });
});
