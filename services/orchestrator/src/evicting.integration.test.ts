import { asId, type ModelName } from '@berth/core';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startHost } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const half = { weightsMiB: 3_500 };
const small = { weightsMiB: 1_000 };

test('a pinned model is never evicted, and is named to those whom it leaves no room', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    models: { pinned: { pinned: true, engineIs: half }, big: { memory: { atLeast: '7GiB' }, engineIs: { weightsMiB: 6_500 } } },
  });
  await host.request('pinned');
  const refusal = await host.refusal('big');
  expect(refusal.code).toBe('DOES_NOT_FIT');
  expect(refusal.message).toContain('pinned');
  expect(await host.summary()).toEqual(['pinned ready']);
});

test('over its budget, a GPU loses its least recently used idle endpoint, and nothing starts there', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    models: { oldest: { engineIs: small }, newest: { engineIs: small }, third: { engineIs: small } },
  });
  for (const name of ['oldest', 'newest', 'oldest']) await host.request(name);
  await eventually('a later use of the newest', async () => {
    await host.request('newest');
    const { lastUsedAtMs } = await host.state();
    const [oldest, newest] = [await host.endpointOf('oldest'), await host.endpointOf('newest')];
    if (oldest === undefined || newest === undefined) return false;
    return (lastUsedAtMs.get(newest.generation) ?? 0) > (lastUsedAtMs.get(oldest.generation) ?? 0) + 50;
  });
  expect(await host.summary()).toEqual(['newest ready', 'oldest ready']);
  host.engines.foreignMiB = 7_000;
  // Asking makes the host look; it may place and not displace, so what follows is not its doing.
  await host.request('third', { right: 'place', withinMs: 3_000 }).catch(() => undefined);
  await eventually('the oldest to go', async () => (await host.summary()).join() === 'newest ready');
  expect(host.engines.starts.map(({ model }) => model)).not.toContain('third');
});

test('memory that does not come back after a stop is foreign after a while, and the wait for it ends', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: half }, two: { engineIs: half } } });
  await host.request('one');
  const stopped = host.endpointOf('one');
  host.onRuntimeCall = (operation) => {
    if (operation === 'stopEngine') host.engines.leakMiB = 4_524;
  };
  await host.reader.putStopRequest({ id: 'stop', target: { kind: 'all' }, force: true, deadlineMs: null });
  await eventually('the endpoint to be gone', async () => (await host.state()).endpoints.length === 0);
  expect((await stopped)?.state).toBe('ready');
  expect(host.logLines.some((line) => line['msg'] === 'memory was not released after a stop')).toBe(true);
  await eventually('it to be shown as foreign', async () => (await host.reader.readLeader())?.host?.gpus[0]?.foreignMiB === 4_524);
  await host.request('two');
  expect((await host.endpointOf('two'))?.allocations[0]?.vramMiB).toBe(3_500 + 1_024 + 256);
});

describe('preloads', () => {
  test('of models never measured are all discovered and end beside each other', async () => {
    await using host = await startHost({
      redisUrl: redis.url,
      models: { first: { preload: true, engineIs: small }, second: { preload: true, engineIs: small } },
    });
    await eventually('both to serve', async () => (await host.summary()).join() === 'first ready,second ready');
    await eventually('the wishes to be over', async () => (await host.state()).wishes.length === 0);
  });

  test('displace nobody who was asked for', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { asked: { engineIs: half }, late: { engineIs: half } } });
    await host.request('asked');
    await host.endProcess();
    host.changeModels({ asked: { engineIs: half }, late: { preload: true, engineIs: half } });
    host.lead();
    await eventually('the preload to wait', () =>
      host.logLines.some((line) => line['msg'] === 'placement planned' && line['model'] === 'late'),
    );
    await host.request('asked');
    expect(await host.summary()).toEqual(['asked ready']);
  });

  test('that fail for good are not wished for any more', async () => {
    const engineIs = { failWith: () => ['RuntimeError: no such architecture'] };
    await using host = await startHost({ redisUrl: redis.url, models: { broken: { preload: true, engineIs } } });
    await eventually('its quarantine', async () => (await host.state()).quarantines.length === 1);
    await eventually('its end', async () => (await host.state()).endpoints.length === 0);
    expect((await host.state()).wishes).toEqual([]);
    expect(host.engines.starts).toHaveLength(1);
  });
});

describe('a job that is lost', () => {
  test('is added again for a wish', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    const wish = { id: 'load:one', model: asId<ModelName>('one'), right: 'displace', kind: 'operator' } as const;
    await host.reader.putWish({ ...wish, arrivedMsAgo: 0, endsInMs: 60_000 });
    await eventually('the model to serve', async () => (await host.summary()).join() === 'one ready');
    expect((await host.state()).wishes).toEqual([]);
    // A wish for what serves already ends as well.
    await host.reader.putWish({ ...wish, arrivedMsAgo: 0, endsInMs: 60_000 });
    await eventually('the wish to be over', async () => (await host.state()).wishes.length === 0);
  });

  test('is added again for a waiter', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    const now = Date.now();
    const model = asId<ModelName>('one');
    const ticket = await host.session.join({ model, right: 'place', arrivedAtMs: now, deadlineAtMs: now + 60_000 });
    await eventually('the model to serve', async () => (await host.summary()).join() === 'one ready');
    ticket.leave();
  });
});
