import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AnswerSink } from './answer-sink.ts';
import { PlainConnections } from './plain-connections.ts';

const REQUEST = 'POST /v1/completions HTTP/1.1\r\nHost: e\r\nContent-Length: 2\r\n\r\n{}';

/** A connection whose client's side is in the test's hands. */
class MemorySocket extends Duplex {
  written = '';
  /** Calls that its client takes what was written; `null`: it takes everything at once. */
  taken: (() => void)[] | null = null;

  override _read(): void {}

  override _write(bytes: Buffer, _: BufferEncoding, done: () => void): void {
    this.written += bytes.toString('latin1');
    if (this.taken === null) done();
    else this.taken.push(done);
  }
}

function started() {
  const sinks: AnswerSink[] = [];
  const handedOver: { socket: Socket; seen: string }[] = [];
  const refused: Socket[] = [];
  const connections = new PlainConnections({
    keepAliveMs: 75_000,
    bodyBytes: 100,
    isRoute: (path) => path === '/v1/completions',
    serve: (_, sink) => sinks.push(sink),
    handOver: (socket) => {
      const taken = { socket, seen: '' };
      handedOver.push(taken);
      socket.on('data', (piece: Buffer) => (taken.seen += piece.toString('latin1')));
    },
    refuseHalf: (socket) => refused.push(socket),
  });
  const socket = new MemorySocket();
  connections.accept(socket as unknown as Socket);
  return { sinks, handedOver, refused, connections, socket };
}

/** What has been pushed into a socket has been read. */
const turn = () => vi.advanceTimersByTimeAsync(0);

describe('PlainConnections', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('closes a connection that idles for longer than it promises', async () => {
    const { socket } = started();
    await vi.advanceTimersByTimeAsync(75_000);
    expect(socket.destroyed).toBe(false);
    await vi.advanceTimersByTimeAsync(2000);
    expect(socket.destroyed).toBe(true);
  });

  it('closes none whose answer takes long', async () => {
    const { socket, sinks, connections } = started();
    socket.push(REQUEST);
    await vi.advanceTimersByTimeAsync(600_000);
    connections.closeIdle();
    expect(socket.destroyed).toBe(false);
    sinks[0]?.begin({ status: 200, statusText: '', headers: 'content-length: 2\r\n', hasLength: true, hasDate: false }, false);
    sinks[0]?.end(Buffer.from('{}'));
    await turn();
    expect(socket.written).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n\{\}$/s);
    connections.closeIdle();
    expect(socket.destroyed).toBe(true);
  });

  it('hands a request over, with all that has come of it, that comes no further within seconds', async () => {
    const { socket, handedOver, sinks } = started();
    socket.push(REQUEST.slice(0, 20));
    await turn();
    socket.push(REQUEST.slice(20, 40));
    await vi.advanceTimersByTimeAsync(1000);
    expect(handedOver).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(3000);
    socket.push(REQUEST.slice(40));
    await turn();
    expect(handedOver).toEqual([{ socket, seen: REQUEST }]);
    expect(sinks).toHaveLength(0);
  });

  it('hands a request over that comes in more pieces than it is worth', async () => {
    const { socket, handedOver, sinks } = started();
    const request = REQUEST.replace('Host', 'Some-Header: and its value\r\nHost');
    for (const byte of request) {
      socket.push(byte);
      await turn();
    }
    expect(handedOver).toEqual([{ socket, seen: request }]);
    expect(sinks).toHaveLength(0);
  });

  it('has half a request refused when its client says no more', async () => {
    const { socket, refused } = started();
    socket.push(REQUEST.slice(0, -1));
    socket.push(null);
    await turn();
    expect(refused).toEqual([socket]);
  });

  it('reads on from a client that is far ahead only when that is served', async () => {
    const { socket, sinks } = started();
    // 100 kB and more, of which each answer takes away one.
    const ahead = REQUEST.repeat(2000);
    socket.push(REQUEST);
    await turn();
    socket.push(ahead);
    await turn();
    expect(socket.isPaused()).toBe(true);
    const answer = async () => {
      sinks.at(-1)?.begin({ status: 200, statusText: '', headers: '', hasLength: true, hasDate: true }, false);
      sinks.at(-1)?.end();
      await turn();
    };
    for (let served = 1; served < 500; served += 1) await answer();
    expect([sinks.length, socket.isPaused()]).toEqual([500, true]);
    for (let served = 500; served <= 2000; served += 1) await answer();
    expect([sinks.length, socket.isPaused()]).toEqual([2001, false]);
  });

  it('closes no connection whose client has not taken all of its answer', async () => {
    const { socket, sinks, connections } = started();
    socket.taken = [];
    socket.push(REQUEST);
    await turn();
    sinks[0]?.begin({ status: 200, statusText: '', headers: 'content-length: 2\r\n', hasLength: true, hasDate: false }, false);
    sinks[0]?.end(Buffer.from('{}'));
    await turn();
    connections.closeIdle();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(socket.destroyed).toBe(false);
    for (const done of socket.taken.splice(0)) done();
    await turn();
    connections.closeIdle();
    expect(socket.destroyed).toBe(true);
  });

  it('ends a connection behind the answer that says so, and closes it when its client does, or soon', async () => {
    for (const clientCloses of [true, false]) {
      const { socket, sinks, connections } = started();
      socket.push(REQUEST + REQUEST);
      await turn();
      connections.endWithAnswers();
      sinks[0]?.begin({ status: 200, statusText: '', headers: 'content-length: 2\r\n', hasLength: true, hasDate: true }, false);
      sinks[0]?.end(Buffer.from('{}'));
      await turn();
      expect(socket.written).toBe('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}');
      expect([socket.writableEnded, sinks.length]).toEqual([true, 1]);
      socket.push(REQUEST);
      connections.closeIdle();
      await turn();
      expect([socket.destroyed, sinks.length]).toEqual([false, 1]);
      if (clientCloses) socket.push(null);
      else await vi.advanceTimersByTimeAsync(2000);
      await turn();
      expect(socket.destroyed).toBe(true);
    }
  });

  it('closes everything when it must', async () => {
    const { socket, connections } = started();
    socket.push(REQUEST);
    await turn();
    connections.closeAll();
    expect(socket.destroyed).toBe(true);
  });
});
