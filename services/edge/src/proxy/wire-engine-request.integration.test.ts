import { expect, test } from 'vitest';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const MIB = 1024 * 1024;
const BODY = '{"model":"tiny"}';
const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';

function post(body: string, headers = `Content-Length: ${Buffer.byteLength(body)}\r\n`, target = '/v1/completions'): string {
  return `POST ${target} HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/json\r\n${headers}\r\n${body}`;
}

test('an engine sees the request line, the headers and the body as the client wrote them, with a host and a length of its own', async () => {
  await using edge = await TestEdge.start();
  const seen: string[] = [];
  await using engine = await RawEngine.start((connection) => {
    connection.socket.on('data', (piece: Buffer) => seen.push(piece.toString('latin1')));
    connection.socket.once('data', () => connection.write(OK));
  });
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  client.write(
    post(BODY, `Content-Length: ${BODY.length}\r\nX-Twice: one\r\nx-tWICE: two\r\nX-Latin: caf\xe9\r\n`, '/v1/completions?a=%2F&b'),
  );
  await client.message();
  const [head = '', body] = seen.join('').split('\r\n\r\n');
  expect(body).toBe(BODY);
  const [line, ...headers] = head.split('\r\n');
  expect(line).toBe('POST /v1/completions?a=%2F&b HTTP/1.1');
  expect(headers.filter((header) => /^host:/iu.test(header))).toEqual([
    expect.stringMatching(new RegExp(`^host: ${new URL(engine.url).host}$`, 'iu')),
  ]);
  expect(headers.filter((header) => /^content-length:/iu.test(header))).toHaveLength(1);
  expect(headers.filter((header) => /^x-twice:/iu.test(header))).toEqual(['X-Twice: one', 'x-tWICE: two']);
  expect(headers).toContain('X-Latin: caf\xe9');
  expect(headers.some((header) => /^(?:transfer-encoding|expect|te|trailer|upgrade|keep-alive):/iu.test(header))).toBe(false);
});

test("what is the client connection's own, its keys and its cookies reach no engine", async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const own = [
    'Authorization: Bearer secret',
    'X-Api-Key: secret',
    'Api-Key: secret',
    'Cookie: secret=1',
    'Proxy-Authorization: Basic secret',
    'Proxy-Connection: keep-alive',
    'Keep-Alive: timeout=secret',
    'TE: trailers',
    'X-Named: secret',
    'Connection: keep-alive, X-Named',
    `Content-Length: ${BODY.length}`,
  ];
  client.write(post(BODY, `${own.join('\r\n')}\r\n`));
  const request = await (await engine.connection()).message();
  const names = request.headers.map(([name]) => name.toLowerCase());
  expect(JSON.stringify(request.headers)).not.toContain('secret');
  for (const name of ['te', 'keep-alive', 'proxy-connection', 'x-named', 'upgrade']) expect(names).not.toContain(name);
});

test('a body in chunks reaches the engine as the same bytes, its extensions and trailers dropped', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const chunks = `5;name="va;lue"\r\n{"mod\r\n00B\r\nel":"tiny"}\r\n0\r\nX-Trailer: secret\r\n\r\n`;
  client.write(post(chunks, 'Transfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n'));
  const connection = await engine.connection();
  const request = await connection.message();
  expect(request.body.toString()).toBe(BODY);
  expect(request.trailers).toEqual([]);
  expect(JSON.stringify(request.headers)).not.toContain('railer');
  connection.write(OK);
  expect((await client.message()).body.toString()).toBe('{}');
});

test.each([
  ['of a declared length', (length: number) => `Content-Length: ${length}\r\n`, 'length'],
  ['in chunks', () => 'Transfer-Encoding: chunked\r\n', 'chunked'],
] as const)('a body of 3 MiB %s flows to the engine byte for byte', async (_, headers, framing) => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const body = `{"model":"tiny","image":"${'0123456789abcdef'.repeat((3 * MIB) / 16)}"}`;
  const framed = framing === 'length' ? body : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  client.write(post(framed, headers(body.length)));
  const connection = await engine.connection();
  const request = await connection.message();
  expect(request.framing).toBe(framing);
  expect(request.body.equals(Buffer.from(body))).toBe(true);
  connection.write(OK);
  expect((await client.message()).body.toString()).toBe('{}');
});

test('a connection carries one request at a time, and the next one after its answer', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url);
  using first = await RawSocket.connect(edge.port);
  using second = await RawSocket.connect(edge.port);
  first.write(post('{"model":"tiny","n":1}'));
  const one = await engine.connection(0);
  await one.message();
  second.write(post('{"model":"tiny","n":2}'));
  const two = await engine.connection(1);
  await two.message();
  expect(one.received).toHaveLength(0);
  one.write(OK);
  await first.message();
  first.write(post('{"model":"tiny","n":3}'));
  expect((await one.message()).body.toString()).toBe('{"model":"tiny","n":3}');
  expect(engine.connections).toHaveLength(2);
});

test('an idle connection is closed by the edge, which an engine does after 5 s', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.answering(OK);
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  client.write(post(BODY));
  await client.message();
  await (await engine.connection()).over();
  client.write(post(BODY));
  await client.message();
  expect(engine.connections).toHaveLength(2);
}, 30_000);

test('a client that leaves while its body flows leaves the engine with half a body and a closed connection', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start();
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  client.write(post(`{"model":"tiny","image":"${'x'.repeat(3 * MIB)}`, `Content-Length: ${32 * MIB}\r\n`));
  const connection = await engine.connection();
  await waitUntil('what was sent has flowed', () => connection.bytesReceived > 3 * MIB);
  client.reset();
  await connection.over();
  expect(connection.bytesReceived).toBeLessThan(32 * MIB);
  await waitUntil('slot ended', () => edge.host.inFlight() === 0);
  await waitUntil('line logged', () => edge.lines.length === 1);
  expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'client-left' });
});

test('a client that leaves behind an engine that reads nothing is noticed once the engine reads', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start((connection) => connection.socket.pause());
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  client.write(post(`{"model":"tiny","image":"${'x'.repeat(31 * MIB)}`, `Content-Length: ${32 * MIB}\r\n`));
  const connection = await engine.connection();
  await waitUntil('sockets filled', () => client.socket.writableLength > 0);
  client.reset();
  connection.socket.resume();
  await connection.over();
  await waitUntil('slot ended', () => edge.host.inFlight() === 0);
});

test('an engine that reads nothing holds its client back, and the rest of the body stays with the client', async () => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.start((connection) => connection.socket.pause());
  edge.host.serve('tiny', engine.url);
  using client = await RawSocket.connect(edge.port);
  const body = `{"model":"tiny","image":"${'x'.repeat(60 * MIB)}"}`;
  client.write(post(body));
  const takenBytes = (): number => client.socket.bytesWritten - client.socket.writableLength;
  const connection = await engine.connection();
  await unchanging(takenBytes);
  expect(takenBytes()).toBeLessThan(30 * MIB);
  connection.socket.resume();
  const request = await connection.message();
  expect(request.body.length).toBe(body.length);
  connection.write(OK);
  expect((await client.message()).body.toString()).toBe('{}');
}, 60_000);

/** Waits until the value has been the same for a quarter of a second. */
async function unchanging(read: () => number): Promise<void> {
  let last = -1;
  let sinceMs = performance.now();
  await waitUntil(
    'unchanging',
    () => {
      const value = read();
      if (value !== last) sinceMs = performance.now();
      last = value;
      return performance.now() - sinceMs > 250;
    },
    20_000,
  );
}
