import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { defineScript } from './script.ts';

const script = defineScript(`
-- Guarantee: gives the lock up if this orchestrator holds it in this epoch.
-- Keys: 1 term, 2 leader lock
-- Arguments: 1 orchestrator id, 2 epoch
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[2])
`);

export async function releaseLeadership(
  connection: Redis,
  keys: Keys,
  request: { readonly id: string; readonly epoch: string },
): Promise<void> {
  await script(connection, [keys.term, keys.leaderLock], [request.id, request.epoch]);
}
