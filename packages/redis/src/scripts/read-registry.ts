import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_NOTE_RUN_ID, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: everything that a decision looks at, at one instant. Drops edge replicas whose record expired from the index, and wishes
--   that ended.
-- Keys: 1 term, 2 endpoints, 3 last used, 4 edges, 5 claims, 6 wishes, 7 quarantines, 8 stop requests
-- Arguments: 1 prefix of endpoints, 2 prefix of edge records
-- Answer: now, when this Redis process was first seen, endpoint records, last used (generation, ms, ...), edges (id, ms to expiry,
--   fields), claims, wishes, quarantines, stop requests
${LUA_NOW}
${LUA_NOTE_RUN_ID}
local endpoints = {}
for _, generation in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local record = redis.call('HGET', ARGV[1] .. generation, 'record')
  if record then endpoints[#endpoints + 1] = record else redis.call('ZREM', KEYS[2], generation) end
end
local edges = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[4], 0, -1)) do
  local left = redis.call('PTTL', ARGV[2] .. id)
  if left < 0 then redis.call('ZREM', KEYS[4], id)
  else edges[#edges + 1] = {id, left, redis.call('HGETALL', ARGV[2] .. id)} end
end
local wishes = {}
local known = redis.call('HGETALL', KEYS[6])
for i = 1, #known, 2 do
  if cjson.decode(known[i + 1]).endsAtMs <= now then redis.call('HDEL', KEYS[6], known[i])
  else wishes[#wishes + 1] = known[i + 1] end
end
return {now, runIdSeenAt, endpoints, redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'), edges,
  redis.call('HVALS', KEYS[5]), wishes, redis.call('HVALS', KEYS[7]), redis.call('HVALS', KEYS[8])}
`);

const texts = z.array(z.string());

const answerSchema = z
  .tuple([z.number(), z.number(), texts, texts, z.array(z.tuple([z.string(), z.number(), texts])), texts, texts, texts, texts])
  .transform(([nowMs, runIdSeenAtMs, endpoints, lastUsed, edges, claims, wishes, quarantines, stopRequests]) => ({
    nowMs,
    runIdSeenAtMs,
    endpoints,
    lastUsed,
    edges,
    claims,
    wishes,
    quarantines,
    stopRequests,
  }));

/** The registry as it is stored. */
export type StoredRegistry = z.infer<typeof answerSchema>;

export async function readRegistry(connection: Redis, keys: Keys): Promise<StoredRegistry> {
  const answer = await script(
    connection,
    [keys.term, keys.endpoints, keys.lastUsed, keys.edges, keys.claims, keys.wishes, keys.quarantines, keys.stopRequests],
    [keys.endpointPrefix, keys.edgePrefix],
  );
  return answerSchema.parse(answer);
}
