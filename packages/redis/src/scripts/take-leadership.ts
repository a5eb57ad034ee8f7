import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_NOTE_RUN_ID, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: at most one orchestrator holds the lock. Taking it, also again by its holder, begins a new epoch, larger than any before,
--   which fences off every write of an older one. An emptied registry gets a new id.
-- Keys: 1 term, 2 leader lock
-- Arguments: 1 orchestrator id, 2 ttl ms, 3 an epoch that the caller knows to be taken, or 0
-- Answer: 'held', leader | 'taken', epoch
${LUA_NOW}
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return {'held', holder} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
local taken = math.max(tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0'), tonumber(ARGV[3]))
local epoch = string.format('%.0f', math.max(now, taken + 1))
redis.call('HSET', KEYS[1], 'epoch', epoch, 'leader', ARGV[1], 'since', now)
redis.call('HSETNX', KEYS[1], 'registry', epoch)
${LUA_NOTE_RUN_ID}
return {'taken', epoch}
`);

const answerSchema = z.union([
  z.tuple([z.literal('held'), z.string()]).transform(([, leader]) => ({ kind: 'held' as const, leader })),
  z.tuple([z.literal('taken'), z.string()]).transform(([, epoch]) => ({ kind: 'taken' as const, epoch })),
]);

export async function takeLeadership(
  connection: Redis,
  keys: Keys,
  request: { readonly id: string; readonly ttlMs: number; readonly takenEpoch: string },
): Promise<z.infer<typeof answerSchema>> {
  const answer = await script(connection, [keys.term, keys.leaderLock], [request.id, request.ttlMs, request.takenEpoch]);
  return answerSchema.parse(answer);
}
