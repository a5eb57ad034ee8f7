import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { statusOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
const JSON_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n';
const STREAM_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const LONG_STREAM_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n';
const BODY = '{"model":"tiny","stream":true}';
const POST = `POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

const impatient = `
host: { runtime: process }
requests: { timeout: 200ms }
streams: { idleTimeout: 200ms }
models: { tiny: { source: org/tiny } }
`;

describe('what is no HTTP answer', () => {
  test.each([
    ['another protocol', '+PONG\r\n\r\n'],
    ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x46'],
    ['a status that is no number', 'HTTP/1.1 abc OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['a length that is no number', `${JSON_HEAD}content-length: two\r\n\r\n{}`],
    ['a negative length', `${JSON_HEAD}content-length: -2\r\n\r\n{}`],
    ['two lengths', `${JSON_HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{} `],
    ['a length and chunks', `${JSON_HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
    ['a header without a colon', `${JSON_HEAD}nonsense\r\ncontent-length: 2\r\n\r\n{}`],
    ['a header name with a space', `${JSON_HEAD}x y: 1\r\ncontent-length: 2\r\n\r\n{}`],
    ['a zero byte in a header', `${JSON_HEAD}x: a\0b\r\ncontent-length: 2\r\n\r\n{}`],
    ['a switch of protocols that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
    ['a head without an end', `${JSON_HEAD}x: ${'y'.repeat(300 * 1024)}`],
  ])('%s is answered with 502, and the connection is not used again', async (_, answer) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(answer);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    const told = await client.message();
    expect(statusOf(told)).toBe(502);
    expect(JSON.parse(told.body.toString())).toMatchObject({
      error: { code: 'ENGINE_EXITED', type: 'server_error', message: expect.stringContaining('no whole HTTP answer') },
    });
    await waitUntil('connections closed', () => engine.connections.every(({ closed, peerEnded }) => closed || peerEnded));
    expect(engine.connections.length).toBeLessThanOrEqual(3);
    expect(edge.host.inFlight()).toBe(0);
  });

  test.each([
    ['nothing', ''],
    ['half a status line', 'HTTP/1.1 2'],
    ['half a head', JSON_HEAD],
    ['an informational answer', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'],
  ])('%s and then the end of the connection makes a 502 after at most three attempts', async (_, begin) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(begin, (connection) => connection.end());
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    const told = await client.message();
    expect(statusOf(told)).toBe(502);
    expect(JSON.parse(told.body.toString())).toMatchObject({ error: { code: 'ENGINE_EXITED' } });
    expect(engine.connections.length).toBeLessThanOrEqual(3);
  });
});

describe('a body that is cut', () => {
  test.each([
    ['a length that is not reached', `${JSON_HEAD}content-length: 20\r\n\r\n{"a":`],
    ['half a chunk', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n14\r\n{"a":`],
    ['no last chunk', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n`],
    ['half a chunk size', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n1`],
    ['half a trailer', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n0\r\nx-end`],
  ])('by %s is never taken for whole', async (_, answer) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(answer, (connection) => connection.end());
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    await expect(client.message()).rejects.toThrow('the connection ended behind');
    expect(engine.connections).toHaveLength(1);
    await waitUntil('line logged', () => edge.lines.length === 1);
    expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'broken', code: 'ENGINE_EXITED' });
    expect(edge.host.inFlight()).toBe(0);
  });

  test.each([
    ['half a chunk', STREAM_HEAD, '20\r\ndata: {"n":1}\n\ndata: {"n', (connection: RawSocket): void => connection.end()],
    ['less than its length', LONG_STREAM_HEAD, 'data: {"n":1}\n\ndata: {"n', (connection: RawSocket): void => connection.end()],
    ['a reset', STREAM_HEAD, 'f\r\ndata: {"n":1}\n\n\r\n', (connection: RawSocket): void => void setImmediate(() => connection.reset())],
    ['a chunk size that is none', STREAM_HEAD, 'f\r\ndata: {"n":1}\n\n\r\nzz\r\n', () => undefined],
    ['a chunk that is longer than its size', STREAM_HEAD, '5\r\ndata: {"n":1}\n\n\r\n0\r\n\r\n', () => undefined],
  ] as const)('by %s inside a stream ends the stream with an error frame', async (_, head, pieces, then) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start((connection) => {
      connection
        .message()
        .then(() => {
          connection.write(head);
          connection.socket.write(Buffer.from(pieces, 'latin1'), () => then(connection));
        })
        .catch(() => undefined);
    });
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    const body = (await client.message()).body.toString();
    expect(body).toMatch(/\n\ndata: \{"error":\{"message":"[^\n]*"code":"ENGINE_EXITED"\}\}\n\n$/u);
    expect(body).not.toContain('[DONE]');
    await waitUntil('connection closed', () => engine.connections.every(({ closed, peerEnded }) => closed || peerEnded));
    expect(edge.host.inFlight()).toBe(0);
  });
});

describe('an error frame of the engine', () => {
  const frame = 'data: {"error": {"message": "the engine\\u0027s own", "type": "x", "param": null, "code": 500}}\n\n';
  test.each(['tiny', 'gpt-4o-mini'])('is the only one when the engine ends behind it (%s)', async (model) => {
    expect(await toldOf(frame, model)).toBe(frame);
  });

  test.each(['tiny', 'gpt-4o-mini'])('that is cut is followed by a whole one (%s)', async (model) => {
    for (let cut = 8; cut < frame.length; cut += 7) {
      const told = await toldOf(frame.slice(0, cut), model);
      expect(told.startsWith(frame.slice(0, cut))).toBe(true);
      expect(told).toMatch(/\n\ndata: \{"error":\{"message":"[^\n]*"code":"ENGINE_EXITED"\}\}\n\n$/u);
    }
  });
});

describe('an engine that is silent', () => {
  test.each([
    ['accepts and never answers', ''],
    ['sends half a head', `${JSON_HEAD}x: `],
    ['sends informational answers only', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('and %s is given up after requests.timeout, and its connection closed', async (_, begin) => {
    await using edge = await TestEdge.start({ yaml: impatient });
    await using engine = await RawEngine.answering(begin);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    expect(statusOf(await client.message())).toBe(504);
    await (await engine.connection()).over();
    expect(engine.connections).toHaveLength(1);
    expect(edge.host.inFlight()).toBe(0);
  });

  test('inside a stream is given up after streams.idleTimeout, and its connection closed', async () => {
    await using edge = await TestEdge.start({ yaml: impatient });
    await using engine = await RawEngine.answering(`${STREAM_HEAD}f\r\ndata: {"n":1}\n\n\r\n5\r\ndat`);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    expect((await client.message()).body.toString()).toMatch(/"code":"ENGINE_UNRESPONSIVE"\}\}\n\n$/u);
    await (await engine.connection()).over();
  });
});

describe('an answer that does not go on', () => {
  test.each([
    ['behind its head', `${JSON_HEAD}content-length: 20\r\n\r\n`],
    ['inside its body', `${JSON_HEAD}content-length: 20\r\n\r\n{"a":`],
    ['inside a chunk', `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n20\r\n{"a":`],
  ])('%s and is no stream is cut after streams.idleTimeout, so that nobody takes it for whole', async (_, begin) => {
    await using edge = await TestEdge.start({ yaml: impatient });
    await using engine = await RawEngine.answering(begin);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    await expect(client.message()).rejects.toThrow('the connection ended');
    await (await engine.connection()).over();
    await waitUntil('logged', () => edge.lines.length > 0);
    expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'broken', code: 'ENGINE_UNRESPONSIVE', brokenBy: 'engine-silent' });
    expect(edge.host.inFlight()).toBe(0);
  });
});

test('the time that a client takes to send its body is none that the engine is waited for', async () => {
  await using edge = await TestEdge.start({ yaml: `${impatient}bodies: { retryLimit: 64KiB }\n` });
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const bytes = await sendSlowly(client);
  const connection = await engine.connection();
  expect((await connection.message()).body.length).toBe(bytes);
  expect(statusOf(await client.message())).toBe(504);
  await connection.over();
});

test('an engine that answers before it has the body is not silent while its client goes on to send', async () => {
  await using edge = await TestEdge.start({ yaml: `${impatient}bodies: { retryLimit: 64KiB }\n` });
  await using engine = await RawEngine.start((connection) => {
    connection.socket.once('data', () => connection.write(`${JSON_HEAD}content-length: 2\r\n\r\n`));
  });
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const bytes = await sendSlowly(client);
  const connection = await engine.connection();
  expect((await connection.message()).body.length).toBe(bytes);
  connection.write('{}');
  expect((await client.message()).body.toString()).toBe('{}');
});

describe('a client that leaves', () => {
  test.each([
    ['before the engine answered', ''],
    ['inside its head', JSON_HEAD],
    ['inside its body', `${JSON_HEAD}content-length: 20\r\n\r\n{"a":`],
    ['inside a chunk', `${STREAM_HEAD}20\r\ndata: {"n"`],
    ['inside a chunk size', `${STREAM_HEAD}2`],
  ])('%s closes the connection to the engine', async (_, begin) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(POST);
    const connection = await engine.connection();
    await connection.message();
    connection.write(begin);
    client.reset();
    await connection.over();
    await waitUntil('slot ended', () => edge.host.inFlight() === 0);
    expect(engine.connections).toHaveLength(1);
  });
});

test('an engine that closes a kept connection as a request comes is asked again on a fresh one', async () => {
  await using edge = await TestEdge.start({ retryPausesMs: [60_000, 60_000] });
  await using engine = await RawEngine.start((connection) => {
    connection
      .message()
      .then(() => connection.write(OK))
      .then(() => connection.message())
      .then(() => connection.end())
      .catch(() => undefined);
  });
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  for (let round = 0; round < 4; round += 1) {
    client.write(POST);
    expect(statusOf(await client.message())).toBe(200);
  }
});

test('an engine that stops reading in the middle of a large body is given up after requests.timeout', async () => {
  await using edge = await TestEdge.start({ yaml: impatient });
  await using engine = await RawEngine.start((connection) => connection.socket.pause());
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const begin = `{"model":"tiny","image":"${'x'.repeat(8 * 1024 * 1024)}`;
  client.write(
    `POST /v1/completions HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: ${begin.length + 2}\r\n\r\n${begin}"}`,
  );
  expect(statusOf(await client.message())).toBe(504);
  await waitUntil('slot ended', () => edge.host.inFlight() === 0);
});

/** What the client gets of a stream whose engine sends so much of it and ends. */
async function toldOf(sent: string, model: string): Promise<string> {
  await using edge = await TestEdge.start();
  const chunk = `${sent.length.toString(16)}\r\n${sent}\r\n`;
  await using engine = await RawEngine.answering(STREAM_HEAD + chunk, (connection) => connection.end());
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const body = JSON.stringify({ model, stream: true });
  client.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  return (await client.message()).body.toString();
}

/** Sends a body in twice the time that the engine is waited for. Resolves with its length. */
async function sendSlowly(client: RawSocket): Promise<number> {
  const body = JSON.stringify({ model: 'tiny', image: 'x'.repeat(200_000) });
  client.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nContent-Length: ${body.length}\r\n\r\n`);
  for (let at = 0; at < body.length; at += 40_000) {
    client.write(body.slice(at, at + 40_000));
    await sleep(80);
  }
  return body.length;
}
