import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_FENCE, LUA_NOTE_RUN_ID, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: draining -> stopping, in the same step as the check that no edge replica's record holds a lease on the generation. From
--   then on none can get one. Refused while leases may be lost: for quietMs after this Redis process was first seen, unless the generation
--   was handed out after that, so that every lease on it was granted by this process.
-- Keys: 1 term, 2 the endpoint, 3 edges
-- Arguments: 1 epoch, 2 generation, 3 model, 4 record, 5 prefix of edge records, 6 channel of hints, 7 quiet ms
-- Answer: 'ok' | 'fenced', epoch | 'stale', state seen | 'quiet', ms left | 'held', edge replica
${LUA_FENCE}
${LUA_NOW}
${LUA_NOTE_RUN_ID}
local state = redis.call('HGET', KEYS[2], 'state') or ''
if state ~= 'draining' then return {'stale', state} end
local quietLeft = runIdSeenAt + tonumber(ARGV[7]) - now
if quietLeft > 0 and tonumber(ARGV[2]) <= runIdSeenAt then return {'quiet', quietLeft} end
for _, edge in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if redis.call('HEXISTS', ARGV[5] .. edge, 'l:' .. ARGV[2]) == 1 then return {'held', edge} end
end
redis.call('HSET', KEYS[2], 'state', 'stopping', 'record', ARGV[4])
redis.call('PUBLISH', ARGV[6], 'stopping ' .. ARGV[2] .. ' ' .. ARGV[3])
return {'ok'}
`);

const answerSchema = z.union([
  z.tuple([z.literal('ok')]).transform(() => ({ kind: 'ok' as const })),
  z.tuple([z.literal('fenced'), z.string()]).transform(([, epoch]) => ({ kind: 'fenced' as const, epoch })),
  z.tuple([z.literal('stale'), z.string()]).transform(([, state]) => ({ kind: 'stale' as const, state })),
  z.tuple([z.literal('quiet'), z.number()]).transform(([, leftMs]) => ({ kind: 'quiet' as const, leftMs })),
  z.tuple([z.literal('held'), z.string()]).transform(([, edge]) => ({ kind: 'held' as const, edge })),
]);

export async function stopDrained(
  connection: Redis,
  keys: Keys,
  request: {
    readonly epoch: string;
    readonly generation: string;
    readonly model: string;
    readonly record: string;
    readonly quietMs: number;
  },
): Promise<z.infer<typeof answerSchema>> {
  const answer = await script(
    connection,
    [keys.term, `${keys.endpointPrefix}${request.generation}`, keys.edges],
    [request.epoch, request.generation, request.model, request.record, keys.edgePrefix, keys.hints, request.quietMs],
  );
  return answerSchema.parse(answer);
}
