import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { closedUrl } from '../testing/closed-url.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { waitUntil } from '../testing/wait-until.ts';
import type { Connection } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { UpstreamBody, UpstreamRequest } from './request-head.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';
const FORGED = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged';
const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));

describe('a connection', () => {
  test('is used again, the one that was used last before those that age', async () => {
    await using engine = await RawEngine.start();
    const pool = poolOf(engine);
    const asked = [ask(pool), ask(pool)];
    for (const index of [0, 1]) {
      const connection = await engine.connection(index);
      await connection.message();
      connection.write(OK);
      await asked[index]?.answer;
    }
    for (let round = 0; round < 3; round += 1) {
      const { answer } = ask(pool);
      const connection = await engine.connection(1);
      await connection.message();
      connection.write(OK);
      expect(await answer).toBe('{}');
    }
    expect(engine.connections).toHaveLength(2);
    await pool.close();
  });

  test('is left alone by a request that wants a fresh one', async () => {
    await using engine = await RawEngine.answering(OK);
    const pool = poolOf(engine);
    await ask(pool).answer;
    await ask(pool, { fresh: true }).answer;
    expect(engine.connections).toHaveLength(2);
    await pool.close();
  });

  test.each([
    ['the engine closes it', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}'],
    [
      'the engine keeps it for no longer than a request may take',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=1\r\n\r\n{}',
    ],
    ['bytes follow the answer', OK + FORGED],
  ])('is not used again when %s', async (_, answer) => {
    await using engine = await RawEngine.answering(answer);
    const pool = poolOf(engine);
    for (let round = 0; round < 2; round += 1) expect(await ask(pool).answer).toBe('{}');
    expect(engine.connections).toHaveLength(2);
    await pool.close();
  });

  test('that is answered before all of its body went out is not used again', async () => {
    await using engine = await RawEngine.start((connection) => connection.socket.once('data', () => connection.write(OK)));
    const pool = poolOf(engine);
    const waits = Promise.withResolvers<void>();
    async function* pieces(): AsyncGenerator<Buffer> {
      yield Buffer.from('begin');
      await waits.promise;
      yield Buffer.from('end');
    }
    expect(await ask(pool, { body: { kind: 'flowing', pieces: pieces(), length: null } }).answer).toBe('{}');
    await (await engine.connection()).over();
    waits.resolve();
    expect(await ask(pool).answer).toBe('{}');
    expect(engine.connections).toHaveLength(2);
    await pool.close();
  });

  test('takes no bytes for an answer that came before its request went out', async () => {
    await using engine = await RawEngine.answering(OK);
    const pool = poolOf(engine);
    const { answer, connection } = ask(pool);
    await answer;
    const forger = await engine.connection();
    // Between here and the write of the request, the event loop looks at the sockets once.
    await new Promise(setImmediate);
    forger.write(FORGED);
    const next = ask(pool);
    await expect(next.answer).rejects.toMatchObject({ fault: 'closed' });
    expect(next.connection).toBe(connection);
    await pool.close();
  });

  test('that ends before an answer says whether it had served one before', async () => {
    await using engine = await RawEngine.start((connection) => void connection.socket.on('data', () => connection.end()));
    const pool = poolOf(engine);
    await expect(ask(pool).answer).rejects.toMatchObject({ fault: 'closed', reused: false });
    await using other = await RawEngine.start((connection) => {
      connection.socket.once('data', () => {
        connection.write(OK);
        connection.socket.once('data', () => connection.reset());
      });
    });
    const second = poolOf(other);
    await ask(second).answer;
    await expect(ask(second).answer).rejects.toMatchObject({ fault: 'closed', reused: true });
    await Promise.all([pool.close(), second.close()]);
  });

  test('that nobody accepts is told as such', async () => {
    const pool = poolOf({ url: await closedUrl() });
    await expect(ask(pool).answer).rejects.toMatchObject({ fault: 'unreached' });
    await pool.close();
  });

  test.skipIf(!HAS_IPV6)('reaches an address of IPv6 and names it in brackets', async () => {
    await using engine = await RawEngine.start((connection) => connection.socket.once('data', () => connection.write(OK)), '::1');
    const pool = poolOf(engine);
    expect(await ask(pool).answer).toBe('{}');
    expect(engine.connections[0]?.received.toString()).toContain(`\r\nhost: ${new URL(engine.url).host}\r\n`);
    await pool.close();
  });

  test('of a request that is given up inside its own first call takes nothing along', async () => {
    await using engine = await RawEngine.answering(OK);
    const pool = poolOf(engine);
    const given = ask(pool, { onSending: (own) => own.destroy(null) });
    await waitUntil('closed', () => engine.connections[0]?.closed === true || engine.connections[0]?.peerEnded === true);
    expect(engine.connections[0]?.bytesReceived).toBe(0);
    expect(await ask(pool).answer).toBe('{}');
    expect(given.told).toEqual([]);
    await pool.close();
  });
});

describe('a pool that closes', () => {
  test('closes what idles at once, and the rest when its request has its answer', async () => {
    await using engine = await RawEngine.start();
    const pool = poolOf(engine);
    const [idle, busy] = [ask(pool), ask(pool)];
    const [first, second] = [await engine.connection(0), await engine.connection(1)];
    await Promise.all([first.message(), second.message()]);
    first.write(OK);
    await idle.answer;
    let closed = false;
    const closing = pool.close().then(() => (closed = true));
    await first.over();
    expect([closed, pool.send(GET, receiver(), false)]).toEqual([false, null]);
    second.write(OK);
    expect(await busy.answer).toBe('{}');
    await closing;
    await second.over();
  });

  test('ends every request with the reason when its endpoint is gone', async () => {
    await using engine = await RawEngine.start();
    const pool = poolOf(engine);
    const gone = new AbortController();
    pool.destroyOn(gone.signal);
    const asked = [ask(pool), ask(pool)];
    await (await engine.connection(1)).message();
    const failures = Promise.allSettled(asked.map(({ answer }) => answer));
    gone.abort();
    expect(await failures).toMatchObject([{ reason: { name: 'EndpointGone' } }, { reason: { name: 'EndpointGone' } }]);
    await Promise.all([pool.close(), ...engine.connections.map((connection) => connection.over())]);
    expect(pool.send(GET, receiver(), false)).toBeNull();
  });
});

const GET: UpstreamRequest = { method: 'GET', path: '/', headers: '', body: null };

function poolOf({ url }: { readonly url: string }): ConnectionPool {
  const { hostname, port } = new URL(url);
  return new ConnectionPool({ host: hostname, port: Number(port), connectTimeoutMs: 5000 });
}

interface Asking {
  readonly fresh?: boolean;
  readonly body?: UpstreamBody;
  readonly onSending?: (own: { destroy(reason: null): void }) => void;
}

/** Sends one request: its connection, the body of its answer, and everything that was told of it. */
function ask(pool: ConnectionPool, { fresh = false, body, onSending }: Asking = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  promise.catch(() => undefined);
  const told: string[] = [];
  let text = '';
  const request: UpstreamRequest = body === undefined ? GET : { ...GET, method: 'POST', body };
  let connection: Connection | null = null;
  connection = pool.send(
    request,
    {
      onSending: () => {
        if (connection !== null) onSending?.(connection);
      },
      onHead: () => void told.push('head'),
      onPiece: (piece, last) => {
        told.push('piece');
        text += piece?.toString() ?? '';
        if (last) resolve(text);
      },
      onFailure: (error) => {
        told.push('failure');
        reject(error);
      },
    },
    fresh,
  );
  return { connection, answer: promise, told };
}

/** A receiver that is told nothing. */
function receiver(): Parameters<ConnectionPool['send']>[1] {
  return { onSending: never, onHead: never, onPiece: never, onFailure: never };
}

function never(): never {
  throw new Error('told of a request that was not sent');
}
