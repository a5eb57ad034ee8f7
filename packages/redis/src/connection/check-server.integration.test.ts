import { asId } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { targetOf } from '../../test-support/builders.ts';
import { startRedis } from '../../test-support/start-redis.ts';
import { createRegistryReader } from '../registry/registry-reader.ts';
import { checkServer } from './check-server.ts';

describe('redis server check', () => {
  it('accepts a server that keeps everything', async () => {
    await using redis = await startRedis();
    expect(await checkServer(targetOf(redis.url))).toMatchObject({ product: expect.stringMatching(/redis|valkey/), warnings: [] });
  });

  it('refuses a server that evicts keys, and says how to change it', async () => {
    await using redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    await expect(checkServer(targetOf(redis.url))).rejects.toMatchObject({
      code: 'INVALID_SETTINGS',
      message: expect.stringContaining('noeviction'),
      details: { policy: 'allkeys-lru' },
    });
  });

  it('warns of a server without an append-only file', async () => {
    await using redis = await startRedis({ args: ['--appendonly', 'no'] });
    expect((await checkServer(targetOf(redis.url))).warnings).toHaveLength(1);
  });

  it('takes a password from the URL, and reports a wrong one without showing it', async () => {
    await using redis = await startRedis({ password: 'right-password' });
    await checkServer(targetOf(redis.url));
    const logged: unknown[] = [];
    const wrong = targetOf(redis.url.replace('right', 'wrong'), (message, fields) => logged.push([message, String(fields['err'])]));
    const failure = await checkServer(wrong).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    expect(JSON.stringify([logged, String(failure)])).not.toContain('wrong-password');
  });

  it('reports a full server as unavailable', async () => {
    await using redis = await startRedis({ args: ['--maxmemory', '1mb'] });
    await using reader = createRegistryReader(targetOf(redis.url));
    const wish = { right: 'use', kind: 'hint', arrivedMsAgo: 0, endsInMs: 60_000 } as const;
    const put = async () => {
      for (let id = 0; id < 50; id += 1) await reader.putWish({ ...wish, id: String(id), model: asId('x'.repeat(200_000)) });
    };
    await expect(put()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
  });
});
