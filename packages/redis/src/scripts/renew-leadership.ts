import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { defineScript } from './script.ts';

const script = defineScript(`
-- Guarantee: keeps the lock for another ttl if this orchestrator holds it and its epoch rules.
-- Keys: 1 term, 2 leader lock
-- Arguments: 1 orchestrator id, 2 epoch, 3 ttl ms
if redis.call('GET', KEYS[2]) ~= ARGV[1] or redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return 0 end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
`);

/** False when the term is over. */
export async function renewLeadership(
  connection: Redis,
  keys: Keys,
  request: { readonly id: string; readonly epoch: string; readonly ttlMs: number },
): Promise<boolean> {
  return (await script(connection, [keys.term, keys.leaderLock], [request.id, request.epoch, request.ttlMs])) === 1;
}
