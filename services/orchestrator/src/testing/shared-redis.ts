import { startRedis, type TestRedis } from '@berth/redis/testing';
import { afterAll, beforeAll } from 'vitest';

/** One Redis for the tests of a file; every host in it has keys of its own. */
export function shareRedis(): { readonly url: string } {
  let redis: TestRedis | undefined;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis?.[Symbol.asyncDispose]();
  });
  return {
    get url() {
      return redis?.url ?? '';
    },
  };
}
