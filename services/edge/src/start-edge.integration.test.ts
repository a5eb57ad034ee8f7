import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { adminStateSchema } from '@berth/contracts';
import { isOperationalError } from '@berth/core';
import { startRedis } from '@berth/redis/testing';
import { readEdgeSettings } from './settings.ts';
import { startEdge } from './start-edge.ts';
import type { EdgeLogger } from './telemetry/edge-logger.ts';

const silent: EdgeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A catalog in a folder of its own. */
async function writeCatalog(keys = ''): Promise<{ path: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-edge-'));
  const path = join(folder, 'berth.yaml');
  await writeFile(path, `host: { runtime: process }\nmodels: { tiny: { source: org/tiny } }\n${keys}`);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

function settingsFor(path: string, redisUrl: string, port = '0'): ReturnType<typeof readEdgeSettings> {
  return readEdgeSettings({ BERTH_PORT: port, BERTH_CONFIG: path, BERTH_REDIS_URL: redisUrl, BERTH_SHUTDOWN_GRACE_MS: '2000' });
}

test('an edge on a real Redis gets ready, queues a cold request, and shows it on the board', async () => {
  await using redis = await startRedis();
  await using catalog = await writeCatalog();
  await using edge = await startEdge(settingsFor(catalog.path, redis.url), silent);
  expect((await fetch(`${edge.url}/health/ready`)).status).toBe(200);
  expect((await fetch(`${edge.url}/health/placement`)).status).toBe(503);

  const answer = await fetch(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { prefer: 'wait=1' },
    body: '{"model":"tiny","messages":[]}',
  });
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ error: { code: 'ORCHESTRATOR_UNAVAILABLE' } });
  const state = adminStateSchema.parse(await (await fetch(`${edge.url}/admin/v1/state`)).json());
  expect(state.wishes).toMatchObject([{ model: 'tiny', kind: 'waiter' }]);
  expect(state.edges).toHaveLength(1);

  const board = await fetch(`${edge.url}/admin/queues`);
  expect(board.status).toBe(200);
  expect(await board.text()).toContain('Berth placements');
  const queues: unknown = await (await fetch(`${edge.url}/admin/queues/api/queues?activeQueue=placement&status=latest&page=1`)).json();
  expect(JSON.stringify(queues)).toContain('tiny');
  const slash = await fetch(`${edge.url}/admin/queues/`, { redirect: 'manual' });
  expect(slash.status).toBe(302);
});

test('the board refuses every change', async () => {
  await using redis = await startRedis();
  await using catalog = await writeCatalog();
  await using edge = await startEdge(settingsFor(catalog.path, redis.url), silent);
  const answer = (await (await fetch(`${edge.url}/admin/queues/api/queues`)).json()) as { queues: readonly { name: string }[] };
  const [queue] = answer.queues;
  const paused = await fetch(`${edge.url}/admin/queues/api/queues/${encodeURIComponent(queue?.name ?? '')}/pause`, { method: 'PUT' });
  expect(paused.status).toBe(405);
});

test('an edge that stops gives back its record and refuses connections', async () => {
  await using redis = await startRedis();
  await using catalog = await writeCatalog();
  await using other = await startEdge(settingsFor(catalog.path, redis.url), silent);
  const edge = await startEdge(settingsFor(catalog.path, redis.url), silent);
  await fetch(`${edge.url}/health/live`);
  await edge[Symbol.asyncDispose]();
  await expect(fetch(`${edge.url}/health/live`)).rejects.toThrow();
  const state = adminStateSchema.parse(await (await fetch(`${other.url}/admin/v1/state`)).json());
  expect(state.edges).toHaveLength(1);
});

test('an edge starts without Redis, and says that it is not ready', async () => {
  await using catalog = await writeCatalog();
  await using edge = await startEdge(settingsFor(catalog.path, 'redis://127.0.0.1:1'), silent);
  expect((await fetch(`${edge.url}/health/ready`)).status).toBe(503);
  expect((await fetch(`${edge.url}/v1/models`)).status).toBe(200);
  const cold = await fetch(`${edge.url}/v1/completions`, { method: 'POST', body: '{"model":"tiny"}' });
  expect(cold.status).toBe(503);
  expect(await cold.json()).toMatchObject({ error: { code: 'REDIS_UNAVAILABLE' } });
});

test('a port that is taken is named, and nothing stays open', async () => {
  await using redis = await startRedis();
  await using catalog = await writeCatalog();
  await using edge = await startEdge(settingsFor(catalog.path, redis.url), silent);
  const failure: unknown = await startEdge(settingsFor(catalog.path, redis.url, new URL(edge.url).port), silent).catch(
    (error: unknown) => error,
  );
  expect(isOperationalError(failure, 'PORT_TAKEN')).toBe(true);
});

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const KEYS = `keys:\n  - { id: placer, sha256: ${sha256('placer-1234')}, rights: [use, place] }\n`;
const ADMIN_KEYS = `adminKeys: [{ id: root, sha256: ${sha256('root-1234')} }]\n`;
const basic = { authorization: `Basic ${Buffer.from('me:root-1234').toString('base64')}` };

/** What an edge with this catalog says of its API at start. */
async function logged(keys: string): Promise<readonly string[]> {
  const lines: string[] = [];
  const note = (_fields: object, message: string): void => void lines.push(message);
  await using catalog = await writeCatalog(keys);
  await using edge = await startEdge(settingsFor(catalog.path, 'redis://127.0.0.1:1'), { info: note, warn: note, error: note });
  await fetch(`${edge.url}/v1/models`);
  return lines.filter((line) => line.includes('api'));
}

describe('with keys', () => {
  test('waiters and wishes of a key stand in Redis with its right, and a browser opens the board with an admin key', async () => {
    await using redis = await startRedis();
    await using catalog = await writeCatalog(KEYS + ADMIN_KEYS);
    await using edge = await startEdge(settingsFor(catalog.path, redis.url), silent);
    const leaving = new AbortController();
    const ask = (prefer: string) =>
      fetch(`${edge.url}/v1/completions`, {
        method: 'POST',
        headers: { prefer, authorization: 'Bearer placer-1234' },
        body: '{"model":"tiny"}',
        signal: leaving.signal,
      });
    expect((await ask('wait=0')).status).toBe(503);
    const waiting = ask('wait=60').catch(() => undefined);
    const readState = async () => adminStateSchema.parse(await (await fetch(`${edge.url}/admin/v1/state`, { headers: basic })).json());
    await vi.waitFor(async () => expect((await readState()).edges[0]?.waiters).toMatchObject([{ model: 'tiny', right: 'place' }]), 10_000);
    expect((await readState()).wishes).toMatchObject([{ model: 'tiny', right: 'place', kind: 'waiter' }]);
    leaving.abort();
    await waiting;

    for (const path of ['/admin/queues', '/admin/queues/', '/admin/queues/api/queues', '/admin/queues/static/css/anything.css']) {
      expect((await fetch(edge.url + path)).status).toBe(401);
    }
    const board = await fetch(`${edge.url}/admin/queues`, { headers: basic });
    expect(await board.text()).toContain('Berth placements');
  });

  test('an edge says once at start what its catalog leaves open or closed', async () => {
    expect(await logged('')).toEqual(['api opened without keys']);
    expect(await logged(KEYS)).toEqual(['admin api closed']);
    expect(await logged(KEYS + ADMIN_KEYS)).toEqual([]);
  });
});
