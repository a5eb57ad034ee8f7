import { request } from 'node:http';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { FakeEngine } from '../testing/fake-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const MIB = 1024 * 1024;
const PACED = 1000;
const EVENTS = 20;
const SLOW = 50;
/** What an engine has for each slow reader: several times what the sockets on the way hold. */
const FLOOD_BYTES = 64 * MIB;
const EVENT_STREAM = { 'content-type': 'text/event-stream' };
const FLOOD_PIECE = Buffer.from(`data: ${'x'.repeat(16 * 1024)}\n\n`);

test('1000 paced streams get every event beside 50 readers that are slow or read nothing, for whom the engine is held back', async () => {
  await using edge = await TestEdge.start();
  const floods: Flood[] = [];
  const paced: ServerResponse[] = [];
  await using engine = await FakeEngine.start((_, response, body) => {
    response.writeHead(200, EVENT_STREAM);
    response.flushHeaders();
    if (body.includes('flood')) floods.push(new Flood(response));
    else paced.push(response);
  });
  edge.host.serve('tiny', engine.url);

  const slow = await Promise.all(Array.from({ length: SLOW }, (_, index) => readSlowly(edge, index % 2 === 0 ? 0 : 1024)));
  await waitUntil('all floods', () => floods.length === SLOW, 20_000);
  const streams = Array.from({ length: PACED }, () => new PacedReader(edge));
  await waitUntil('all streams', () => paced.length === PACED, 60_000);
  for (let event = 0; event < EVENTS; event += 1) {
    for (const response of paced) response.write(`data: ${event}\n\n`);
    await waitUntil(`event ${event} everywhere`, () => streams.every((stream) => stream.events > event), 60_000);
  }
  for (const response of paced) response.end('data: [DONE]\n\n');
  await waitUntil('all streams ended', () => streams.every(({ ended }) => ended), 60_000);
  const whole = `${Array.from({ length: EVENTS }, (_, event) => `data: ${event}\n\n`).join('')}data: [DONE]\n\n`;
  expect(streams.every(({ text }) => text === whole)).toBe(true);

  await waitUntil('the engine is held back', () => floods.every((flood) => flood.isHeldBack), 60_000);
  for (const flood of floods) expect(flood.takenBytes).toBeLessThan(FLOOD_BYTES / 2);
  for (const reader of slow) reader.reset();
  await waitUntil('slots ended', () => edge.host.inFlight() === 0, 20_000);
});

test.each([
  ['a stream', EVENT_STREAM],
  ['another answer', { 'content-type': 'application/json' }],
])('a client that takes nothing of %s for streams.idleTimeout has left, and the engine is not blamed', async (_, headers) => {
  await using edge = await TestEdge.start({
    yaml: 'host: { runtime: process }\nstreams: { idleTimeout: 300ms }\nmodels: { tiny: { source: org/tiny } }\n',
  });
  const floods: Flood[] = [];
  await using engine = await FakeEngine.start((_request, response) => {
    response.writeHead(200, headers);
    floods.push(new Flood(response));
  });
  edge.host.serve('tiny', engine.url);
  const client = await readSlowly(edge, 0);
  await waitUntil('logged', () => edge.lines.length > 0, 20_000);
  expect(edge.lines[0]?.fields).toMatchObject({ status: 200, outcome: 'client-left' });
  expect(edge.lines[0]?.fields).not.toHaveProperty('brokenBy');
  expect(edge.lines[0]?.level).toBe('info');
  expect(edge.host.inFlight()).toBe(0);
  client.socket.resume();
  await client.over();
});

/** An answer that goes on as fast as it is taken. */
class Flood {
  readonly #response: ServerResponse;
  #writtenBytes = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.#more();
  }

  /** What the edge's side of the connection has taken, with what the kernel keeps for it. */
  get takenBytes(): number {
    return this.#writtenBytes - this.#response.writableLength;
  }

  get isHeldBack(): boolean {
    return this.#response.writableNeedDrain;
  }

  #more(): void {
    while (this.#writtenBytes < FLOOD_BYTES) {
      this.#writtenBytes += FLOOD_PIECE.length;
      if (!this.#response.write(FLOOD_PIECE)) return void this.#response.once('drain', () => this.#more());
    }
  }
}

/** A client that takes so many bytes every 10 ms, as long as its connection lasts. */
async function readSlowly(edge: TestEdge, bytes: number): Promise<RawSocket> {
  const client = await RawSocket.connect(edge.port);
  const body = '{"model":"tiny","stream":true,"n":"flood"}';
  client.write(`POST /v1/completions HTTP/1.1\r\nHost: edge\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  client.socket.removeAllListeners('data');
  client.socket.pause();
  const timer = setInterval(() => bytes > 0 && client.socket.read(bytes), 10);
  client.socket.once('close', () => clearInterval(timer));
  return client;
}

/** A client that keeps up. */
class PacedReader {
  text = '';
  events = 0;
  ended = false;

  constructor(edge: TestEdge) {
    const call = request(`${edge.url}/v1/completions`, { method: 'POST', agent: false }, (response) => {
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        this.text += piece;
        this.events = this.text.split('\n\n').length - 1;
      });
      response.on('end', () => (this.ended = true));
    });
    call.end('{"model":"tiny","stream":true}');
  }
}
