import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: stores a wish with instants by Redis' clock. One that is there already keeps its age, and its end if that is later.
-- Keys: 1 wishes
-- Arguments: 1 id, 2 wish as JSON, 3 ms since arrival, 4 ms to its end
${LUA_NOW}
local wish = cjson.decode(ARGV[2])
wish.arrivedAtMs = now - tonumber(ARGV[3])
wish.endsAtMs = now + tonumber(ARGV[4])
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then
  local before = cjson.decode(known)
  if before.endsAtMs > now then
    wish.arrivedAtMs = math.min(wish.arrivedAtMs, before.arrivedAtMs)
    wish.endsAtMs = math.max(wish.endsAtMs, before.endsAtMs)
  end
end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(wish))
return 1
`);

/** `record` is a wish record whose instants are replaced. */
export async function putWish(
  connection: Redis,
  keys: Keys,
  request: { readonly id: string; readonly record: string; readonly arrivedMsAgo: number; readonly endsInMs: number },
): Promise<void> {
  await script(connection, [keys.wishes], [request.id, request.record, Math.round(request.arrivedMsAgo), Math.round(request.endsInMs)]);
}
