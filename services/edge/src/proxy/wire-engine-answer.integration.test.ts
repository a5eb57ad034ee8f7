import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { statusOf, valuesOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
const STREAM_HEAD = 'HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\n';
const FRAMES = 'data: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n';

function post(model = 'tiny', more = ''): string {
  const body = `{"model":"${model}","stream":true}`;
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
}

function chunked(...pieces: readonly string[]): string {
  return `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')}0\r\n\r\n`;
}

describe('an answer that is well-formed', () => {
  test.each([
    ['with a length', OK, '{}'],
    [
      'in chunks',
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${chunked('{"a"', ':1}')}`,
      '{"a":1}',
    ],
    [
      'in chunks with odd sizes',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding:chunked\r\n\r\n0004\r\n{"a"\r\n3;x=y\r\n:1}\r\n000\r\n\r\n',
      '{"a":1}',
    ],
    ['as a stream', `${STREAM_HEAD}transfer-encoding: chunked\r\n\r\n${chunked(...FRAMES.split(/(?<=\n\n)/u))}`, FRAMES],
    ['without a reason', 'HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n{}', '{}'],
    ['without a body', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['of length 0', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ''],
    ['after a 100 that nobody asked for', `HTTP/1.1 100 Continue\r\n\r\n${OK}`, '{}'],
    ['after informational ones', `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`, '{}'],
  ])('%s reaches the client whole, also when it comes byte by byte, and the connection goes on', async (_, answer, body) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post());
    const connection = await engine.connection();
    await connection.message();
    connection.write(answer);
    const whole = await client.message();
    client.write(post());
    await connection.message();
    await connection.writeByteByByte(answer);
    const slow = await client.message();
    for (const message of [whole, slow]) {
      expect(message.body.toString()).toBe(body);
      expect(statusOf(message)).toBe(Number(/HTTP\/1.1 (?!1)(\d+)/u.exec(answer)?.[1]));
      expect(message.headers.map(([name]) => name.toLowerCase())).not.toContain('link');
    }
    expect(engine.connections).toHaveLength(1);
  });

  test('keeps its status, its reason and its headers, but for those of the connection', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(
      'HTTP/1.1 418 Short And Stout\r\nServer: uvicorn\r\nX-Twice: one\r\nX-Twice: two\r\nX-Latin: caf\xe9\r\nX-Empty:\r\nX-Named: own\r\n' +
        'Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nTrailer: X-End\r\nConnection: keep-alive, X-Named\r\nContent-Length: 2\r\n\r\n{}',
    );
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post());
    const { startLine, headers } = await client.message();
    expect(startLine).toBe('HTTP/1.1 418 Short And Stout');
    expect(headers.slice(0, 5)).toEqual([
      ['Server', 'uvicorn'],
      ['X-Twice', 'one'],
      ['X-Twice', 'two'],
      ['X-Latin', 'caf\xe9'],
      ['X-Empty', ''],
    ]);
    for (const name of ['x-named', 'trailer', 'proxy-authenticate']) expect(valuesOf(headers, name)).toEqual([]);
    expect(valuesOf(headers, 'keep-alive')).not.toContain('timeout=5');
  });

  test('with trailers ends where its body ends', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n2\r\n{}\r\n0\r\nx-end: 1\r\n\r\n',
    );
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (let round = 0; round < 2; round += 1) {
      client.write(post());
      expect((await client.message()).body.toString()).toBe('{}');
    }
    expect(engine.connections).toHaveLength(1);
  });

  test.each([
    ['HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n', 'up to the close'],
    ['HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\n', 'up to the close'],
    ['HTTP/1.0 200 OK\r\ncontent-length: 15\r\n\r\n', 'up to the close'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\n', 'up to the close'],
  ])('that begins %j and ends with its connection is whole', async (head, body) => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(head + body, (connection) => connection.end());
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (let round = 0; round < 2; round += 1) {
      client.write(post());
      const answer = await client.message();
      expect(statusOf(answer)).toBe(200);
      expect(answer.body.toString()).toBe(body);
    }
    expect(engine.connections).toHaveLength(2);
  });

  test('that says it closes the connection is the last one on it', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering('HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 2\r\n\r\n{}');
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post());
    await client.message();
    client.write(post());
    await client.message();
    expect(engine.connections).toHaveLength(2);
    await (await engine.connection(0)).over();
  });

  test('that comes before the request was read is passed on', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(
      `POST /v1/completions HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n{"model":"tiny","a":"${'x'.repeat(2_000_000)}`,
    );
    const connection = await engine.connection();
    await waitUntil('the head of the request', () => connection.bytesReceived > 0);
    connection.write(
      'HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{"error":"no"}',
    );
    const answer = await client.message();
    expect(statusOf(answer)).toBe(413);
    expect(answer.body.toString()).toBe('{"error":"no"}');
    await connection.over();
    await waitUntil('slot ended', () => edge.host.inFlight() === 0);
  });
});

describe('bytes behind an answer', () => {
  const forged = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged';

  test('never become the answer of another request', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start((connection) => {
      const first = connection.message().then(() => connection.write(connectionCount() === 1 ? OK + forged : OK));
      first.catch(() => undefined);
    });
    const connectionCount = (): number => engine.connections.length;
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post());
    expect((await client.message()).body.toString()).toBe('{}');
    client.write(post());
    expect((await client.message()).body.toString()).toBe('{}');
    expect(engine.connections).toHaveLength(2);
  });

  test('on an idle connection end that connection', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(OK);
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    client.write(post());
    await client.message();
    const connection = await engine.connection();
    connection.write(forged);
    await connection.over();
    client.write(post());
    expect((await client.message()).body.toString()).toBe('{}');
    expect(engine.connections).toHaveLength(2);
  });
});

describe('a compressed answer', () => {
  test.each([
    ['application/json', '{"model":"tiny"}'],
    ['text/event-stream', 'data: {"model":"tiny"}\n\ndata: [DONE]\n\n'],
  ])('of %s passes untouched, whatever name was asked for', async (type, content) => {
    const packed = gzipSync(content);
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.answering(
      Buffer.concat([
        Buffer.from(
          `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n${packed.length.toString(16)}\r\n`,
        ),
        packed,
        Buffer.from('\r\n0\r\n\r\n'),
      ]),
    );
    edge.host.serve('tiny', engine.url, ['tiny', 'gpt-4o-mini']);
    using client = await RawSocket.connect(edge.port);
    for (const model of ['tiny', 'gpt-4o-mini']) {
      client.write(post(model, 'Accept-Encoding: gzip\r\n'));
      const answer = await client.message();
      expect(valuesOf(answer.headers, 'content-encoding')).toEqual(['gzip']);
      expect(answer.body.equals(packed)).toBe(true);
    }
  });

  test('is asked for as the client asks, and not at all where names change', async () => {
    await using edge = await TestEdge.start();
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url, ['tiny', 'gpt-4o-mini']);
    using client = await RawSocket.connect(edge.port);
    client.write(post('tiny', 'Accept-Encoding: br;q=0.5, gzip\r\n'));
    const connection = await engine.connection();
    expect(valuesOf((await connection.message()).headers, 'accept-encoding')).toEqual(['br;q=0.5, gzip']);
    connection.write(OK);
    await client.message();
    client.write(post('gpt-4o-mini', 'Accept-Encoding: gzip\r\n'));
    expect(valuesOf((await connection.message()).headers, 'accept-encoding')).toEqual([]);
  });
});

test('names that change keep a body whole, whatever the pieces it comes in', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url, ['tiny', 'gpt-4o-mini']);
  using client = await RawSocket.connect(edge.port);
  client.write(post('gpt-4o-mini'));
  const connection = await engine.connection();
  await connection.message();
  await connection.writeByteByByte(
    'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n{"a":"\\"model","model":"tiny"}',
  );
  expect((await client.message()).body.toString()).toBe('{"a":"\\"model","model":"gpt-4o-mini"}');
});
