import { expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startHost } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();

test('a first request discovers, measures and serves its model', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: { weightsMiB: 3_000, prefillMiB: 500 } } } });
  const generation = await host.request('one');
  expect(await host.summary()).toEqual(['one ready']);
  expect((await host.endpointOf('one'))?.generation).toBe(generation);
  const [footprint] = await host.footprints();
  // Weights, KV cache and one prefill, and the margin of 256 MiB.
  expect(footprint).toMatchObject({ vramMiB: 3_000 + 1_024 + 500 + 256, source: 'discovered' });
  await eventually('the job to end', () => host.logLines.some((line) => line['msg'] === 'placement ended'));
});
