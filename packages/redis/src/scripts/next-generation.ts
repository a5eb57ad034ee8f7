import { asId } from '@berth/core';
import type { Generation } from '@berth/core';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript, LUA_NOW } from './script.ts';

const script = defineScript(`
-- Guarantee: a number that was never given before: the present ms, or one more than the last one.
-- Keys: 1 last generation
-- Arguments: 1 a generation that the caller knows to be taken, or 0
${LUA_NOW}
local taken = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1]))
local generation = string.format('%.0f', math.max(now, taken + 1))
redis.call('SET', KEYS[1], generation)
return generation
`);

export async function nextGeneration(connection: Redis, keys: Keys, taken: Generation | null): Promise<Generation> {
  return asId<Generation>(z.string().parse(await script(connection, [keys.lastGeneration], [taken ?? '0'])));
}
