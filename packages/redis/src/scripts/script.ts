import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A Lua script that Redis runs as one atomic step. */
export type Script = (connection: Redis, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/** Lua for the only clock that scripts know: `now`, Redis' own, in ms. */
export const LUA_NOW = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
`;

/** Lua that refuses a write of another epoch: KEYS[1] is the term, ARGV[1] the writer's epoch. */
export const LUA_FENCE = `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'fenced', epoch or ''} end
`;

/**
 * Lua that notes since when this Redis process has been known (KEYS[1] is the term; needs `now`): a restart or a flush may have lost
 * leases, so whoever stops endpoints counts from `runIdSeenAt`.
 */
export const LUA_NOTE_RUN_ID = `
local runId = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or 'unknown'
local noted = redis.call('HMGET', KEYS[1], 'runId', 'runIdSeenAt')
local runIdSeenAt = tonumber(noted[2])
if noted[1] ~= runId or not runIdSeenAt then
  runIdSeenAt = now
  redis.call('HSET', KEYS[1], 'runId', runId, 'runIdSeenAt', now)
end
`;

/** Prepares a script: sent by its hash, and in full where Redis does not know it yet (after a restart or a flush). */
export function defineScript(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex');
  return async (connection, keys, args) => {
    try {
      return await connection.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await connection.eval(lua, keys.length, ...keys, ...args);
    }
  };
}
