import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { defineScript } from './script.ts';

const script = defineScript(`
-- Guarantee: stores all the given footprints if none is stored; changes nothing else.
-- Keys: 1 footprints
-- Arguments: 1 the footprints as JSON: [id, record]
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for _, row in ipairs(cjson.decode(ARGV[1])) do redis.call('HSET', KEYS[1], row[1], row[2]) end
return 1
`);

/** True when there was nothing before. */
export async function fillFootprints(
  connection: Redis,
  keys: Keys,
  footprints: readonly (readonly [id: string, record: string])[],
): Promise<boolean> {
  return (await script(connection, [keys.footprints], [JSON.stringify(footprints)])) === 1;
}
