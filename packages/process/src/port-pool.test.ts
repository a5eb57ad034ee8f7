import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openPortPool } from './port-pool.ts';

const MINUTE = 60_000;

async function createPool(count: number) {
  const directory = await mkdtemp(join(tmpdir(), 'berth-ports-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const first = 24_000 + Math.floor(Math.random() * 900) * 4;
  const alive = new Set<string>();
  const clock = { nowMs: Date.now() };
  const open = (startAt = 'here') =>
    openPortPool({
      directory,
      range: { first, last: first + count - 1 },
      nowMs: () => clock.nowMs,
      startAt,
      isOwnerAlive: async (owner) => alive.has(owner),
    });
  return { first, alive, clock, open };
}

describe('the port pool', () => {
  it('gives no port twice, also not after a restart', async () => {
    const { first, open } = await createPool(3);
    const taken: number[] = [];
    for (const owner of ['one', 'two', 'three']) taken.push(await (await open()).take(owner));
    expect(new Set(taken)).toEqual(new Set([first, first + 1, first + 2]));
  });

  it('begins elsewhere for another installation', async () => {
    const { open } = await createPool(1000);
    const ports = await Promise.all(['one', 'two', 'three', 'four'].map(async (startAt) => (await open(startAt)).take(startAt)));
    const gaps = ports.flatMap((port, index) => ports.slice(index + 1).map((other) => Math.abs(port - other)));
    expect(Math.min(...gaps)).toBeGreaterThan(10);
  });

  it('gives the same port to one of two that ask at once', async () => {
    const { open } = await createPool(3);
    const pools = [await open(), await open()];
    const ports = await Promise.all(pools.map((pool) => pool.take('any')));
    expect(new Set(ports).size).toBe(2);
  });

  it('lets a port rest for 10 minutes after its engine', async () => {
    const { first, clock, alive, open } = await createPool(1);
    const pool = await open();
    alive.add('one');
    expect(await pool.take('one')).toBe(first);
    clock.nowMs += 60 * MINUTE;
    await expect(pool.take('two')).rejects.toMatchObject({ code: 'ENGINE_START_FAILED', retryable: true });
    alive.delete('one');
    await pool.release(first);
    clock.nowMs += 9 * MINUTE;
    await expect(pool.take('two')).rejects.toMatchObject({ code: 'ENGINE_START_FAILED' });
    clock.nowMs += 2 * MINUTE;
    expect(await pool.take('two')).toBe(first);
  });

  it('passes over a port that somebody listens on', async () => {
    const { first, open } = await createPool(2);
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(first, '127.0.0.1', resolve));
    onTestFinished(() => {
      stranger.close();
    });
    expect(await (await open()).take('one')).toBe(first + 1);
  });
});
