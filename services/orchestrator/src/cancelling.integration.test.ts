import { asId, OperationalError, type ModelName } from '@berth/core';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startHost, type HostUnderTest } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const ONE = asId<ModelName>('one');
const half = { weightsMiB: 5_000 };

/** A request that waits in the registry until it leaves. */
async function waitFor(host: HostUnderTest, model: ModelName) {
  const nowMs = Date.now();
  const ticket = await host.session.join({ model, right: 'displace', arrivedAtMs: nowMs, deadlineAtMs: nowMs + 60_000 });
  const left = new AbortController();
  void host.client.place(model, { signal: left.signal }).catch(() => undefined);
  return {
    leave: () => {
      ticket.leave();
      left.abort();
    },
  };
}

/** From now on no container can be created, until it is told that one can. */
function holdCreation(host: HostUnderTest) {
  let held = true;
  let tried = false;
  host.onRuntimeCall = (operation) => {
    if (operation !== 'createEngine' || !held) return;
    tried = true;
    throw new OperationalError({ code: 'DOCKER_UNAVAILABLE', message: 'not yet', retryable: true });
  };
  return { tried: () => tried, release: () => (held = false) };
}

describe('a load that nobody waits for or wishes any more', () => {
  test('is cancelled before its container is created, and what was reserved is free', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: half } } });
    const creation = holdCreation(host);
    const waiter = await waitFor(host, ONE);
    await eventually('the reservation', async () => creation.tried() && (await host.endpointOf('one'))?.state === 'starting');
    waiter.leave();
    await eventually('the reservation to be dropped', async () => (await host.state()).endpoints.length === 0);
    creation.release();
    expect((await host.state()).claims).toEqual([]);
    expect(host.engines.starts).toEqual([]);
    expect(await host.request('one')).not.toBe('');
    expect(host.engines.starts).toHaveLength(1);
  });

  test('is driven on while only a wish is left, and cancelled when that has ended', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: half } } });
    const creation = holdCreation(host);
    const waiter = await waitFor(host, ONE);
    await host.reader.putWish({ id: 'hint', model: ONE, right: 'displace', kind: 'hint', arrivedMsAgo: 0, endsInMs: 1_500 });
    await eventually('the reservation', async () => creation.tried() && (await host.endpointOf('one'))?.state === 'starting');
    waiter.leave();
    await eventually('nobody to wait', async () =>
      (await host.state()).edges.every(({ waiters }) => waiters.every(({ count }) => count === 0)),
    );
    expect((await host.endpointOf('one'))?.state).toBe('starting');
    await eventually('the wish to end and the reservation to be dropped', async () => (await host.state()).endpoints.length === 0);
    expect(host.engines.starts).toEqual([]);
  });

  test('is driven to ready once its container was created, and tells how far it is meanwhile', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: { ...half, loadMs: 1_500 } } } });
    const waiter = await waitFor(host, ONE);
    await eventually('the start', () => host.engines.starts.length === 1);
    waiter.leave();
    await eventually('its placement to be abandoned', () =>
      host.logLines.some((line) => line['msg'] === 'placement ended' && line['outcome'] === 'abandoned'),
    );
    await eventually('its load to be reported', async () => {
      const [status] = await host.reader.readPlacementStatuses();
      return status?.stage === 'starting' && status.detail !== null;
    });
    await eventually('the model to serve', async () => (await host.summary()).join() === 'one ready');
    expect(host.engines.starts).toHaveLength(1);
  });

  test('is driven to failed once its container was created: its cause is kept, its memory is free', async () => {
    const failing = { ...half, loadMs: 800, failWith: () => ['RuntimeError: no such architecture'] };
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: failing } } });
    const waiter = await waitFor(host, ONE);
    await eventually('the start', () => host.engines.starts.length === 1);
    waiter.leave();
    await eventually('its quarantine', async () => (await host.state()).quarantines.some(({ model }) => model === ONE));
    await eventually('its end', async () => (await host.state()).endpoints.length === 0);
    expect(host.engines.starts).toHaveLength(1);
  });

  test('gives its victims back before they are stopped', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: half }, busy: { engineIs: half } } });
    await host.request('one');
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'all' }, force: true, deadlineMs: null });
    await eventually('the stop', async () => (await host.state()).endpoints.length === 0);
    const served = await host.request('busy');
    const slot = host.session.begin(asId('busy'));
    const waiter = await waitFor(host, ONE);
    await eventually('the drain', async () => (await host.endpointOf('busy'))?.state === 'draining');
    waiter.leave();
    await eventually('the victim to serve on', async () => (await host.summary()).join() === 'busy ready');
    expect((await host.endpointOf('busy'))?.generation).toBe(served);
    expect((await host.state()).claims).toEqual([]);
    slot?.end();
  });
});
