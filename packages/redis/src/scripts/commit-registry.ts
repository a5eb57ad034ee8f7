import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_FENCE, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: makes all of the changes or none. Nothing changes when another epoch rules, or when one of the endpoints is not in the state
--   that the writer expects. Publishes a hint for every endpoint whose state changed.
-- Keys: 1 term, 2 endpoints, 3 last used, 4 and following: the hashes that \`set\` and \`unset\` name by position
-- Arguments: 1 epoch, 2 prefix of endpoints, 3 prefix of generations by model, 4 channel of hints, 5 change as JSON:
--   expect [generation, state, or '' for none], put [generation, model, state, record], remove [generation],
--   set [position, field, value], unset [position, field]
-- Answer: 'ok' | 'fenced', epoch | 'stale', generation, state seen
${LUA_FENCE}
${LUA_NOW}
local change = cjson.decode(ARGV[5])
for _, row in ipairs(change.expect) do
  local state = redis.call('HGET', ARGV[2] .. row[1], 'state') or ''
  if state ~= row[2] then return {'stale', row[1], state} end
end
for _, row in ipairs(change.put) do
  local generation, model, state, record = row[1], row[2], row[3], row[4]
  local key = ARGV[2] .. generation
  local before = redis.call('HGET', key, 'state')
  redis.call('HSET', key, 'state', state, 'model', model, 'record', record)
  redis.call('ZADD', KEYS[2], generation, generation)
  redis.call('ZADD', ARGV[3] .. model, generation, generation)
  if state == 'ready' then redis.call('ZADD', KEYS[3], 'NX', now, generation) end
  if before ~= state then redis.call('PUBLISH', ARGV[4], state .. ' ' .. generation .. ' ' .. model) end
end
for _, generation in ipairs(change.remove) do
  local key = ARGV[2] .. generation
  local model = redis.call('HGET', key, 'model')
  redis.call('DEL', key)
  redis.call('ZREM', KEYS[2], generation)
  redis.call('ZREM', KEYS[3], generation)
  if model then
    redis.call('ZREM', ARGV[3] .. model, generation)
    redis.call('PUBLISH', ARGV[4], 'gone ' .. generation .. ' ' .. model)
  end
end
for _, row in ipairs(change.set) do redis.call('HSET', KEYS[row[1]], row[2], row[3]) end
for _, row in ipairs(change.unset) do redis.call('HDEL', KEYS[row[1]], row[2]) end
return {'ok'}
`);

/** A change in the script's own words. */
export interface ScriptedChange {
  readonly expect: readonly (readonly [generation: string, state: string])[];
  readonly put: readonly (readonly [generation: string, model: string, state: string, record: string])[];
  readonly remove: readonly string[];
  readonly set: readonly (readonly [key: string, field: string, value: string])[];
  readonly unset: readonly (readonly [key: string, field: string])[];
}

const answerSchema = z.union([
  z.tuple([z.literal('ok')]).transform(() => ({ kind: 'ok' as const })),
  z.tuple([z.literal('fenced'), z.string()]).transform(([, epoch]) => ({ kind: 'fenced' as const, epoch })),
  z
    .tuple([z.literal('stale'), z.string(), z.string()])
    .transform(([, generation, state]) => ({ kind: 'stale' as const, generation, state })),
]);

export type CommitAnswer = z.infer<typeof answerSchema>;

/** Sends a change; `set` and `unset` name hashes by key. */
export async function commitRegistry(connection: Redis, keys: Keys, epoch: string, change: ScriptedChange): Promise<CommitAnswer> {
  const hashes = [...new Set([...change.set, ...change.unset].map(([key]) => key))];
  const position = (key: string): number => 4 + hashes.indexOf(key);
  const sent = {
    expect: change.expect,
    put: change.put,
    remove: change.remove,
    set: change.set.map(([key, field, value]) => [position(key), field, value]),
    unset: change.unset.map(([key, field]) => [position(key), field]),
  };
  const answer = await script(
    connection,
    [keys.term, keys.endpoints, keys.lastUsed, ...hashes],
    [epoch, keys.endpointPrefix, keys.generationsPrefix, keys.hints, JSON.stringify(sent)],
  );
  return answerSchema.parse(answer);
}
