import { asId, OperationalError, type ModelName } from '@berth/core';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startHost } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const small = { weightsMiB: 1_000 };
const ONE = asId<ModelName>('one');

describe("an operator's stop", () => {
  test('waits for the request in flight, however long it takes', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    await host.request('one');
    const slot = host.session.begin(ONE);
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'model', model: ONE }, force: false, deadlineMs: null });
    await eventually('the drain', async () => (await host.summary()).join() === 'one draining');
    expect(host.runningEngines()).toEqual(['one']);
    slot?.end();
    await eventually('the stop', async () => (await host.state()).endpoints.length === 0);
    await eventually('the request to be removed', async () => ((await host.state()).stopRequests ?? []).length === 0);
  });

  test('leaves alone what is started for a request that comes while it drains', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    const before = await host.request('one');
    const slot = host.session.begin(ONE);
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'model', model: ONE }, force: false, deadlineMs: null });
    await eventually('the drain', async () => (await host.summary()).join() === 'one draining');
    expect(await host.request('one')).not.toBe(before);
    expect((await host.summary()).toSorted()).toEqual(['one draining', 'one ready']);
    slot?.end();
    await eventually('the stop of the first', async () => (await host.summary()).join() === 'one ready');
    await eventually('the request to be removed', async () => ((await host.state()).stopRequests ?? []).length === 0);
  });

  test.each([
    ['with force', { force: true, deadlineMs: null }],
    ['at its deadline', { force: false, deadlineMs: 300 }],
  ])('%s ends requests in flight', async (_, how) => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    await host.request('one');
    const slot = host.session.begin(ONE);
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'model', model: ONE }, ...how });
    await eventually('the stop', async () => (await host.state()).endpoints.length === 0);
    slot?.end();
  });

  test('ends wishes for a model that nobody started yet', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    await host.endProcess();
    await host.reader.putWish({ id: 'load:one', model: ONE, right: 'place', kind: 'operator', arrivedMsAgo: 0, endsInMs: 60_000 });
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'model', model: ONE }, force: false, deadlineMs: null });
    host.lead();
    await eventually('the request to be removed', async () => ((await host.state()).stopRequests ?? []).length === 0);
    expect((await host.state()).wishes).toEqual([]);
  });
});

describe('an endpoint of a catalog that changed meanwhile', () => {
  test.each([
    ['with other arguments', { args: ['--max-model-len', '2048'] }],
    ['with another alias', { aliases: ['uno'] }],
  ])('%s serves on, is drained once it is idle, and is replaced by the next request', async (_, change) => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
    const before = await host.request('one');
    const slot = host.session.begin(ONE);
    await host.endProcess();
    host.changeModels({ one: { ...change, engineIs: small } });
    host.lead();
    await eventually(
      'the new process to have looked',
      () => host.logLines.filter((line) => line['msg'] === 'installation reconciled').length === 2,
    );
    expect(await host.summary()).toEqual(['one ready']);
    slot?.end();
    await eventually('the old one to go', async () => (await host.state()).endpoints.length === 0);
    expect(await host.request('one')).not.toBe(before);
    expect(await host.summary()).toEqual(['one ready']);
  });
});

test('a model whose program is missing is refused, and the others are placed', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    models: { missing: { image: 'example/missing:1', engineIs: small }, one: { engineIs: small } },
  });
  host.onRuntimeCall = (operation, subject) => {
    if (operation === 'resolveImageId' && subject === 'example/missing:1')
      throw new OperationalError({ code: 'IMAGE_MISSING', message: 'There is no program for it.', retryable: false });
  };
  await host.reader.putWish({
    id: 'load:missing',
    model: asId('missing'),
    right: 'place',
    kind: 'operator',
    arrivedMsAgo: 0,
    endsInMs: 60_000,
  });
  const [refusal] = await Promise.all([host.refusal('missing'), host.request('one')]);
  expect(refusal.code).toBe('IMAGE_MISSING');
  await eventually('its wish to be over', async () => (await host.state()).wishes.length === 0);
});

test('a bug met by one endpoint keeps no other from being placed, and ends its own load', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    cards: [{ totalMiB: 4_000 }, { totalMiB: 4_000 }],
    models: { bad: { engineIs: small }, one: { engineIs: small } },
  });
  host.onRuntimeCall = (operation, subject) => {
    if (operation === 'inspectEngine' && String(subject).includes('-bad-')) throw new TypeError('undefined is not an engine');
  };
  const [refusal] = await Promise.all([host.refusal('bad'), host.request('one')]);
  expect(refusal.message).toContain('a bug of its own');
  await eventually('only the other to be left', async () => (await host.summary()).join() === 'one ready');
});

test('an engine that exits while it serves is replaced at once the first time, and backs off with each time more', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    models: { one: { engineIs: small } },
    settings: { quarantine: { base: '300ms', max: '60s' } },
  });
  const backOffs: number[] = [];
  for (let exits = 1; exits <= 3; exits += 1) {
    const endpoint = await eventually('it to serve', async () => {
      // A lease on the one that has just exited may be left for a moment.
      const generation = await host.request('one').catch(() => null);
      const newest = await host.endpointOf('one');
      return newest?.state === 'ready' && newest.generation === generation && newest;
    });
    const atMs = (await host.state()).nowMs;
    host.engines.host.engines.get(endpoint.handle ?? '')?.terminate();
    const [quarantine] = await eventually('the exit to be noticed', async () => {
      const { quarantines } = await host.state();
      return quarantines[0]?.failures === exits && quarantines;
    });
    backOffs.push(Math.max(0, (quarantine?.untilMs ?? 0) - atMs));
  }
  expect(backOffs[0]).toBeLessThan(300);
  expect(backOffs[1]).toBeGreaterThanOrEqual(300);
  expect(backOffs[2]).toBeGreaterThanOrEqual(600);
});

test('an endpoint that proved itself is published within a bound when GPUs cannot be read any more', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: { ...small, loadMs: 200 } } } });
  host.onRuntimeCall = (operation) => {
    if (operation === 'processIds' && host.engines.starts.length > 0) host.engines.readsFail = true;
  };
  await host.request('one');
  // How long it took is known, its memory is not.
  expect(await host.footprints()).toMatchObject([{ vramMiB: null, samples: [], loads: [{ totalMs: expect.any(Number) as number }] }]);
  expect((await host.endpointOf('one'))?.allocations[0]?.vramMiB).toBe(10_000);
});
