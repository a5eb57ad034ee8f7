import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_FENCE } from './script.ts';

const script = defineScript(`
-- Guarantee: stores one footprint, unless another epoch rules, or nothing is stored at all: then Redis may have been emptied, and what
--   the mirror file holds comes first.
-- Keys: 1 term, 2 footprints
-- Arguments: 1 epoch, 2 footprint id, 3 record, 4 '1': write also when nothing is stored
-- Answer: 'ok' | 'fenced', epoch | 'empty'
${LUA_FENCE}
if ARGV[4] ~= '1' and redis.call('EXISTS', KEYS[2]) == 0 then return {'empty'} end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
return {'ok'}
`);

const answerSchema = z.union([
  z.tuple([z.literal('ok')]).transform(() => ({ kind: 'ok' as const })),
  z.tuple([z.literal('empty')]).transform(() => ({ kind: 'empty' as const })),
  z.tuple([z.literal('fenced'), z.string()]).transform(([, epoch]) => ({ kind: 'fenced' as const, epoch })),
]);

export async function putFootprint(
  connection: Redis,
  keys: Keys,
  request: { readonly epoch: string; readonly id: string; readonly record: string; readonly alsoWhenEmpty: boolean },
): Promise<z.infer<typeof answerSchema>> {
  const answer = await script(
    connection,
    [keys.term, keys.footprints],
    [request.epoch, request.id, request.record, request.alsoWhenEmpty ? '1' : '0'],
  );
  return answerSchema.parse(answer);
}
