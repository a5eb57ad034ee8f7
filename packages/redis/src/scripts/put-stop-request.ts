import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: stores a stop request with the time by Redis' clock; repeating it keeps the first time.
-- Keys: 1 stop requests
-- Arguments: 1 id, 2 request as JSON
${LUA_NOW}
local request = cjson.decode(ARGV[2])
request.requestedAtMs = now
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then request.requestedAtMs = cjson.decode(known).requestedAtMs end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(request))
return 1
`);

/** `record` is a stop request record whose time is replaced. */
export async function putStopRequest(
  connection: Redis,
  keys: Keys,
  request: { readonly id: string; readonly record: string },
): Promise<void> {
  await script(connection, [keys.stopRequests], [request.id, request.record]);
}
