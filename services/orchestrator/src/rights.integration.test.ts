import { asId, type ModelName } from '@berth/core';
import { expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startHost, type HostUnderTest } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const most = { weightsMiB: 6_000 };
const small = { weightsMiB: 1_000 };
const settings = { drain: { timeout: '60s' }, defaults: { idleTimeout: '1h' } };

/** The last plan of a model's placement says so. */
function saidFor(host: HostUnderTest, model: string, reason: string): boolean {
  const last = host.logLines.findLast((line) => line['msg'] === 'placement planned' && line['model'] === model);
  return JSON.stringify(last?.['plan'] ?? null).includes(`"${reason}"`);
}

/** Nobody's endpoint was drained, or stopped, or claimed. */
async function expectNoEviction(host: HostUnderTest): Promise<void> {
  expect((await host.state()).claims).toEqual([]);
  const changes = host.logLines.filter((line) => ['draining', 'stopping'].includes(String(line['to'])));
  expect(changes).toEqual([]);
}

test('who may not displace evicts nobody, whether or not the footprint is known, and starts where there is room', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    settings,
    models: { idle: { engineIs: most }, unknown: { engineIs: most }, little: { engineIs: small } },
  });
  await host.request('little');
  await host.reader.putStopRequest({ id: 'stop', target: { kind: 'all' }, force: false, deadlineMs: null });
  await eventually('the card to be empty', async () => (await host.state()).endpoints.length === 0);
  host.logLines.length = 0;

  await host.request('idle', { right: 'place' });
  const waiting = host.request('unknown', { right: 'place', withinMs: 15_000 }).catch(() => undefined);
  await eventually('it to be left waiting', () => saidFor(host, 'unknown', 'may-not-displace'));
  await expectNoEviction(host);
  // Its footprint is known, and fits beside the other.
  await host.request('little', { right: 'place' });
  expect(await host.summary()).toEqual(['idle ready', 'little ready']);
  await expectNoEviction(host);
  // Somebody who may displace makes the room, and serves both.
  await host.request('unknown');
  await waiting;
  expect(await host.summary()).toContain('unknown ready');
});

test('a drain is called off when the one who may displace leaves, though others wait on', async () => {
  await using host = await startHost({ redisUrl: redis.url, settings, models: { busy: { engineIs: most }, wanted: { engineIs: most } } });
  const [busy, wanted] = [asId<ModelName>('busy'), asId<ModelName>('wanted')];
  const generation = await host.request('busy');
  const slot = host.session.begin(busy);
  const now = Date.now();
  const join = (right: 'place' | 'displace') => host.session.join({ model: wanted, right, arrivedAtMs: now, deadlineAtMs: now + 60_000 });
  const [other, ticket] = [await join('place'), await join('displace')];
  await eventually('the drain to begin', async () => (await host.summary()).join() === 'busy draining');
  ticket.leave();
  await eventually('the drain to be called off', async () => (await host.summary()).join() === 'busy ready');
  slot?.end();
  await eventually('the others to be left waiting', () => saidFor(host, 'wanted', 'may-not-displace'));
  expect((await host.state()).claims).toEqual([]);
  expect((await host.endpointOf('busy'))?.generation).toBe(generation);
  other.leave();
});

test('wishes of one model with different rights live side by side: the weaker evicts nobody, the stronger does, and both end with it', async () => {
  await using host = await startHost({ redisUrl: redis.url, settings, models: { idle: { engineIs: most }, wished: { engineIs: most } } });
  await host.request('idle');
  host.logLines.length = 0;
  const wish = (right: 'place' | 'displace') =>
    host.reader.putWish({
      id: `waiter-edge-${right}-wished`,
      model: asId('wished'),
      right,
      kind: 'waiter',
      arrivedMsAgo: 0,
      endsInMs: 60_000,
    });
  await wish('place');
  await eventually('it to be left waiting', () => saidFor(host, 'wished', 'may-not-displace'));
  await expectNoEviction(host);
  const slot = host.session.begin(asId<ModelName>('idle'));
  await wish('displace');
  expect((await host.state()).wishes.map(({ right }) => right).toSorted()).toEqual(['displace', 'place']);
  await eventually('the drain to begin', async () => (await host.summary()).join() === 'idle draining');
  slot?.end();
  await eventually('the model to serve', async () => (await host.summary()).join() === 'wished ready');
  await eventually('the wishes to be over', async () => (await host.state()).wishes.length === 0);
});
