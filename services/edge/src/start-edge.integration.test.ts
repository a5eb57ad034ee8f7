import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { adminStateSchema } from '@berth/contracts';
import { isOperationalError } from '@berth/core';
import { startRedis } from '@berth/redis/testing';
import { readEdgeSettings } from './settings.ts';
import { startEdge } from './start-edge.ts';
import type { EdgeLogger } from './telemetry/edge-logger.ts';

const silent: EdgeLogger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A catalog in a folder of its own. */
async function writeCatalog(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-edge-'));
  const path = join(folder, 'berth.yaml');
  await writeFile(path, 'host: { runtime: process }\nmodels: { tiny: { source: org/tiny } }\n');
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
