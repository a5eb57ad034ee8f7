import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Keys } from '../keys.ts';
import { defineScript } from './script.ts';

const script = defineScript(`
-- Guarantee: the leading orchestrator and what it published, at one instant; nothing when none holds the lock.
-- Keys: 1 term, 2 leader lock, 3 published
-- Answer: nil, or id, epoch, since, host view or ''
local leader = redis.call('GET', KEYS[2])
if not leader then return nil end
local term = redis.call('HMGET', KEYS[1], 'epoch', 'since')
return {leader, term[1] or '', term[2] or '0', redis.call('HGET', KEYS[3], 'host') or ''}
`);

const answerSchema = z.tuple([z.string(), z.string(), z.string(), z.string()]).nullable();

export async function readLeader(
  connection: Redis,
  keys: Keys,
): Promise<{ readonly id: string; readonly epoch: string; readonly sinceMs: number; readonly host: string } | null> {
  const answer = answerSchema.parse(await script(connection, [keys.term, keys.leaderLock, keys.published], []));
  if (answer === null) return null;
  const [id, epoch, since, host] = answer;
  return { id, epoch, sinceMs: Number(since), host };
}
