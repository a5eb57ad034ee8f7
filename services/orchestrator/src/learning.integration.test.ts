import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { kvCacheTooSmall, outOfMemory } from './testing/engine-logs.ts';
import { startHost } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const GIB = 1024 ** 3;

/** An engine whose context needs so much KV cache. */
const tooSmall = (neededGiB: number) => ({
  weightsMiB: 2_000,
  failWith: ({ kvCacheBytes }: { readonly kvCacheBytes: number | null }) =>
    (kvCacheBytes ?? 0) < neededGiB * GIB ? kvCacheTooSmall(neededGiB, 1, 8_192) : null,
});

describe('a KV cache that is too small for the context asked for', () => {
  test('is raised to what the engine says it needs, kept, and tried once more', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { long: { engineIs: tooSmall(3) } } });
    await host.request('long');
    const given = host.engines.starts.map(({ spec }) => spec.kvCacheBytes ?? 0);
    expect(given).toHaveLength(2);
    expect(given[0]).toBe(1 * GIB);
    expect(given[1]).toBeGreaterThanOrEqual(3 * GIB);
    expect((await host.footprints())[0]).toMatchObject({ kvCacheBytes: given[1], source: 'discovered' });
    expect((await host.state()).quarantines).toEqual([]);
  });

  test('that no card holds is refused with the length that fits, and never started again', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { long: { engineIs: tooSmall(12) } } });
    const first = await host.refusal('long');
    expect(first.code).toBe('DOES_NOT_FIT');
    expect(first.message).toContain('--max-model-len to at most 8192');
    const second = await host.refusal('long');
    expect(second.message).toContain('8192');
    expect(host.engines.starts).toHaveLength(1);
  });

  test('that the engine names again and again is raised, and tried once only', async () => {
    let neededGiB = 1.5;
    const engineIs = { failWith: () => kvCacheTooSmall((neededGiB += 0.5), 1, 8_192) };
    await using host = await startHost({ redisUrl: redis.url, models: { long: { engineIs } } });
    const refusal = await host.refusal('long');
    expect(refusal.code).toBe('ENGINE_START_FAILED');
    expect(host.engines.starts).toHaveLength(2);
    expect((await host.state()).quarantines.map(({ model, failures }) => [model, failures])).toEqual([['long', 1]]);
  });
});

describe('an out-of-memory', () => {
  test('beyond what was held raises the footprint, and the model is placed once more with it', async () => {
    const small = { weightsMiB: 2_000 };
    await using host = await startHost({ redisUrl: redis.url, models: { grown: { engineIs: small }, other: { engineIs: small } } });
    await host.request('grown');
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'all' }, force: true, deadlineMs: null });
    await eventually('the stop', async () => (await host.state()).endpoints.length === 0);
    await host.request('other');
    let failures = 1;
    host.changeModels({
      grown: { engineIs: { weightsMiB: 3_000, failWith: () => (failures-- > 0 ? outOfMemory({ ownMiB: 3_072, triedMiB: 1_024 }) : null) } },
      other: { engineIs: small },
    });
    await host.request('grown');
    const [first, second] = host.engines.starts.filter(({ model }) => model === 'grown').slice(1);
    expect(first?.spec.allocations[0]?.vramMiB).toBe(2_000 + 1_024 + 256);
    expect(second?.spec.allocations[0]?.vramMiB).toBe(3_072 + 1_024 + 256);
    expect(await host.summary()).toEqual(['grown ready', 'other ready']);
  });

  test('within what was held corrects the neighbour that took too much, and teaches nothing about the victim', async () => {
    const small = { weightsMiB: 2_000 };
    await using host = await startHost({ redisUrl: redis.url, models: { greedy: { engineIs: small }, victim: { engineIs: small } } });
    await host.request('victim');
    const learned = (await host.footprints()).find(({ model }) => model === 'victim')?.vramMiB;
    await host.request('greedy');
    const greedy = (await host.endpointOf('greedy'))?.containerName ?? '';
    let failures = 1;
    host.changeModels({
      greedy: { engineIs: small },
      victim: {
        engineIs: {
          ...small,
          failWith: () => {
            if (failures-- <= 0) return null;
            host.engines.hold(greedy, 5_000);
            return outOfMemory({ ownMiB: 2_000, triedMiB: 500 });
          },
        },
      },
    });
    await host.request('victim');
    const footprints = new Map((await host.footprints()).map(({ model, vramMiB, source }) => [String(model), { vramMiB, source }]));
    expect(footprints.get('greedy')).toEqual({ vramMiB: 5_256, source: 'refined' });
    expect(footprints.get('victim')?.vramMiB).toBe(learned);
    expect((await host.endpointOf('greedy'))?.allocations[0]?.vramMiB).toBe(5_256);
  });
});

describe('load times', () => {
  test.each([
    ['on a GPU', {}, { gpuProduct: 'Card', gpuCount: 1 }],
    ['on the CPU', { gpus: 0 }, { gpuProduct: 'CPU', gpuCount: 0, vramMiB: null }],
  ])('of a model %s are learned, and told as progress and time left while it loads again', async (_, settings, learned) => {
    const engineIs = { weightsMiB: 1_000, loadMs: 600 };
    await using host = await startHost({ redisUrl: redis.url, models: { one: { ...settings, engineIs } } });
    await host.request('one');
    const [footprint] = await host.footprints();
    expect(footprint).toMatchObject(learned);
    expect(footprint?.loads).toHaveLength(1);
    expect(Object.keys(footprint?.loads[0]?.byPhaseMs ?? {})).toContain('probing');
    await host.reader.putStopRequest({ id: 'stop', target: { kind: 'all' }, force: true, deadlineMs: null });
    await eventually('the stop', async () => (await host.state()).endpoints.length === 0);

    const again = host.request('one');
    const status = await eventually('a report of its load', async () => {
      const [one] = await host.reader.readPlacementStatuses();
      return one?.stage === 'starting' && one.detail !== null && one;
    });
    expect(status.etaMs).toBeGreaterThan(0);
    expect(status.etaMs).toBeLessThanOrEqual(footprint?.loads[0]?.totalMs ?? 0);
    expect(status.progress).toBeLessThan(1);
    await again;
    expect((await host.footprints())[0]?.loads).toHaveLength(2);
  });

  test('are not told before the first load', async () => {
    await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: { loadMs: 400 } } } });
    const first = host.request('one');
    const status = await eventually('a report of its load', async () => {
      const [one] = await host.reader.readPlacementStatuses();
      return one?.stage === 'starting' && one.detail !== null && one;
    });
    expect(status).toMatchObject({ etaMs: null, progress: null });
    await first;
  });
});
