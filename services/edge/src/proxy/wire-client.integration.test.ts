import { describe, expect, test } from 'vitest';
import { statusOf, valuesOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
const BODY = '{"model":"tiny"}';
const LINE = 'POST /v1/completions HTTP/1.1\r\n';
const HEAD = `${LINE}Host: edge\r\nContent-Type: application/json\r\n`;
const LIVE = 'GET /health/live HTTP/1.1\r\nHost: edge\r\n\r\n';
const POST = `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;

const smallLimits = `
host: { runtime: process }
bodies: { limit: 2KiB, waiting: 1MiB, retryLimit: 1KiB }
models: { tiny: { source: org/tiny } }
`;

describe('a request that is none', () => {
  test.each([
    ['another protocol', 'PING\r\n\r\n', 400],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['the greeting of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['an unknown method', POST.replace('POST', 'FETCH'), 400],
    ['no version', POST.replace(' HTTP/1.1', ''), 505],
    ['another version', POST.replace('HTTP/1.1', 'HTTP/2.0'), 505],
    ['a Host that is none', POST.replace('Host: edge', 'Host: ed ge/'), 400],
    ['a target that is none', POST.replace('/v1/completions', 'http://'), 400],
    ['a version that is none', POST.replace('HTTP/1.1', 'HTTP/1.x'), 400],
    ['a space in its target', POST.replace('/v1/completions', '/v1/com pletions'), 400],
    ['no Host', POST.replace('Host: edge\r\n', ''), 400],
    ['a header without a colon', POST.replace('Host: edge\r\n', 'Host: edge\r\nnonsense\r\n'), 400],
    ['a space in front of a colon', POST.replace('Content-Length:', 'Content-Length :'), 400],
    ['a zero byte in a header', POST.replace('edge', 'ed\0ge'), 400],
    ['a length that is no number', `${HEAD}Content-Length: 1x\r\n\r\n${BODY}`, 400],
    ['a length with a sign', `${HEAD}Content-Length: +16\r\n\r\n${BODY}`, 400],
    ['two lengths', `${HEAD}Content-Length: 16\r\nContent-Length: 17\r\n\r\n${BODY} `, 400],
    ['the same length twice', `${HEAD}Content-Length: 16\r\nContent-Length: 16\r\n\r\n${BODY}`, 400],
    ['a length and chunks', `${HEAD}Content-Length: 16\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n${BODY}\r\n0\r\n\r\n`, 400],
    ['chunks and a length', `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 16\r\n\r\n10\r\n${BODY}\r\n0\r\n\r\n`, 400],
    ['another transfer coding', `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n10\r\n${BODY}\r\n0\r\n\r\n`, 501],
    ['a transfer coding that is none', `${HEAD}Transfer-Encoding: xchunked\r\n\r\n10\r\n${BODY}\r\n0\r\n\r\n`, 501],
    ['chunks that are not the last coding', `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n10\r\n${BODY}\r\n0\r\n\r\n`, 400],
    ['a chunk size that is none', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`, 400],
    ['a chunk size that overflows', `${HEAD}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n${BODY}`, 400],
    ['a chunk that is longer than its size', `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\n${BODY}\r\n0\r\n\r\n`, 400],
    ['long chunk extensions', `${HEAD}Transfer-Encoding: chunked\r\n\r\n10;${'x'.repeat(20_000)}\r\n${BODY}\r\n0\r\n\r\n`, 413],
    ['201 headers', `${HEAD}${'a: b\r\n'.repeat(198)}Content-Length: 16\r\n\r\n${BODY}`, 431],
    ['a head of 40 kB', `${HEAD}X: ${'x'.repeat(40_000)}\r\nContent-Length: 16\r\n\r\n${BODY}`, 431],
    ['a target of 40 kB', POST.replace('/v1/completions', `/v1/${'x'.repeat(40_000)}`), 431],
    ['an unknown expectation', `${HEAD}Expect: 200-ok\r\nContent-Length: 16\r\n\r\n${BODY}`, 417],
    ['the wish for a tunnel', 'CONNECT engine:8000 HTTP/1.1\r\nHost: engine:8000\r\n\r\n', 405],
  ])('%s is told so in the form of OpenAI, reaches no engine and ends the connection', async (_, request, status) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(OK);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(request);
    const answer = await client.message();
    expect(statusOf(answer)).toBe(status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      error: { message: expect.any(String), type: expect.any(String), param: null },
    });
    expect(await client.rest()).toBe('');
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
    for (const connection of engine.connections) await expect(connection.message()).rejects.toThrow();
    expect(statusOf(await ask(edge))).toBe(200);
  });
});

describe('a request that is proper', () => {
  test.each([
    ['as usual', POST],
    [
      'in chunks with extensions and trailers',
      `${HEAD}Transfer-Encoding: Chunked\r\n\r\n8;a=b\r\n{"model"\r\n8\r\n:"tiny"}\r\n0\r\nX-End: 1\r\n\r\n`,
    ],
    ['with 200 headers', `${HEAD}${'a: b\r\n'.repeat(197)}Content-Length: 16\r\n\r\n${BODY}`],
    [
      'with an upgrade that is not taken',
      POST.replace('Host:', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nHost:'),
    ],
  ])('%s is served, also when it comes byte by byte', async (_, request) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (const byteByByte of [false, true]) {
      if (byteByByte) await client.writeByteByByte(request);
      else client.write(request);
      const connection = await engine.connection();
      const seen = await connection.message();
      expect(seen.body.toString()).toBe(BODY);
      expect(valuesOf(seen.headers, 'upgrade').concat(valuesOf(seen.headers, 'http2-settings'))).toEqual([]);
      expect(seen.headers.filter(([name]) => name === 'a')).toHaveLength(request.split('\r\na: b').length - 1);
      connection.write(OK);
      expect((await client.message()).body.toString()).toBe('{}');
    }
  });

  test('of HTTP/1.0 needs no Host, and its answer ends with the connection', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(
      'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n',
    );
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(`POST /v1/completions HTTP/1.0\r\nContent-Length: 16\r\n\r\n${BODY}`);
    const answer = await client.rest();
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
    expect(answer).not.toMatch(/transfer-encoding/iu);
    expect(answer.endsWith('\r\n\r\ndata: [DONE]\n\n')).toBe(true);
  });

  test('for a websocket is told that there is none', async () => {
    await using edge = await TestEdge.start();
    using client = await RawSocket.connect(edge.port);
    client.write(
      'GET /v1/realtime?model=tiny HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
    );
    expect(statusOf(await client.message())).toBe(404);
  });
});

test('HEAD is answered as GET is, without the body, by all that Berth answers itself', async () => {
  await using edge = await TestEdge.start();
  using client = await RawSocket.connect(edge.port);
  for (const path of ['/metrics', '/health/live', '/health/ready', '/health/placement', '/v1/models', '/v1/models/tiny', '/']) {
    client.write(`GET ${path} HTTP/1.1\r\nHost: edge\r\n\r\n`);
    const whole = await client.message();
    client.write(`HEAD ${path} HTTP/1.1\r\nHost: edge\r\n\r\n`);
    const head = await client.message({ bodiless: true });
    expect([path, statusOf(head), valuesOf(head.headers, 'content-type')]).toEqual([
      path,
      statusOf(whole),
      valuesOf(whole.headers, 'content-type'),
    ]);
    expect(whole.body.length).toBeGreaterThan(0);
  }
});

describe('several requests at once on one connection', () => {
  test('are answered in their order, whatever the order of the engine', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    // From then on it is Node's own server that reads the connection, and begins all that it has read.
    client.write(LIVE);
    await client.message();
    client.write(numbered(1) + numbered(2) + numbered(3));
    const connections = [await engine.connection(0), await engine.connection(1), await engine.connection(2)];
    const bodies = await Promise.all(connections.map(async (connection) => (await connection.message()).body.toString()));
    for (const [index, connection] of [...connections.entries()].toReversed()) {
      const body = bodies[index] ?? '';
      connection.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    }
    for (const n of [1, 2, 3]) expect((await client.message()).body.toString()).toBe(`{"model":"tiny","n":${n}}`);
  });

  test.each([
    ['begun together', LIVE, 3],
    ['begun one after the other', '', 1],
  ])('all stop their engines when the client leaves, %s', async (_, first, begun) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(first + numbered(1) + numbered(2) + numbered(3));
    // Where Node's own server has read all of them.
    const expected = process.env['BERTH_TEST_PLAIN'] === 'off' ? 3 : begun;
    await engine.connection(expected - 1);
    for (const connection of engine.connections) await connection.message();
    client.reset();
    for (const connection of engine.connections) await connection.over();
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
    expect(edge.host.ended).toBe(expected);
  });

  test('are answered up to the one that is broken', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(OK);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    await client.message();
    client.write(POST);
    expect((await client.message()).body.toString()).toBe('{}');
    client.write('nonsense\r\n\r\n');
    expect(statusOf(await client.message())).toBe(400);
    expect(await client.rest()).toBe('');
  });
});

test('more requests sent at once than Node lets listen are answered without a warning', async () => {
  const warnings: string[] = [];
  const warned = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', warned);
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.answering(OK);
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  client.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n10\r\n${BODY}\r\n0\r\n\r\n`.repeat(30));
  for (let n = 0; n < 30; n += 1) expect(statusOf(await client.message())).toBe(200);
  await new Promise(setImmediate);
  process.off('warning', warned);
  expect(warnings).toEqual([]);
});

describe('100 Continue', () => {
  test('is sent once the body is wanted, and the connection goes on', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(OK);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (let round = 0; round < 2; round += 1) {
      client.write(expecting(BODY.length));
      expect((await client.message()).startLine).toBe('HTTP/1.1 100 Continue');
      client.write(BODY);
      expect((await client.message()).body.toString()).toBe('{}');
    }
  });

  test('keeps no connection that its client wants to end', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(OK);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(expecting(BODY.length).replace('Host', 'Connection: close\r\nHost'));
    expect((await client.message()).startLine).toBe('HTTP/1.1 100 Continue');
    client.write(BODY);
    expect(valuesOf((await client.message()).headers, 'connection')).toEqual(['close']);
    expect(await client.rest()).toBe('');
  });

  test.each([
    ['is too long', expecting(4096), 413],
    ['is for no route', expecting(16, '/sleep'), 404],
    ['is for a route of another method', expecting(16, '/health/live'), 404],
  ])('is not sent where the body %s, and the connection ends', async (_, head, status) => {
    await using edge = await TestEdge.start({ yaml: smallLimits });
    using client = await RawSocket.connect(edge.port);
    client.write(head);
    expect(statusOf(await client.message())).toBe(status);
    expect(await client.rest()).toBe('');
  });
});

describe('a client that leaves', () => {
  test.each([
    ['inside its head', HEAD],
    ['inside its body', POST.slice(0, -3)],
    ['inside a chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n10\r\n{"mod`],
  ])('%s reaches no engine and leaves nothing behind', async (_, begin) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(OK);
    edge.host.serve('tiny', engine.url);
    for (const leave of ['end', 'reset'] as const) {
      using client = await RawSocket.connect(edge.port);
      client.write(begin);
      await new Promise(setImmediate);
      client[leave]();
      await waitUntil('connection closed', () => client.closed || client.peerEnded);
    }
    expect(statusOf(await ask(edge))).toBe(200);
    expect(engine.connections).toHaveLength(1);
    expect(edge.host.begun).toBe(1);
    expect(edge.host.inFlight()).toBe(0);
  });

  test('by closing only its own side has left: that is how clients end that wait no longer', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    const connection = await engine.connection();
    await connection.message();
    client.end();
    await connection.over();
    await waitUntil('slot ended', () => edge.host.inFlight() === 0);
    await waitUntil('line logged', () => edge.lines.length === 1);
    expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'client-left' });
  });
});

/** A usual request on a connection of its own. */
async function ask(edge: TestEdge): ReturnType<RawSocket['message']> {
  using client = await RawSocket.connect(edge.port);
  client.write(POST);
  return await client.message();
}

function numbered(n: number): string {
  const body = `{"model":"tiny","n":${n}}`;
  return `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function expecting(length: number, target = '/v1/completions'): string {
  return `POST ${target} HTTP/1.1\r\nHost: edge\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
}
