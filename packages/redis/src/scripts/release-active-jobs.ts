import type { Redis } from 'ioredis';
import { QUEUE_NAME } from '../keys.ts';
import type { Keys } from '../keys.ts';
import { defineScript } from './script.ts';

const script = defineScript(`
-- Guarantee: every active job counts as stalled, so that the next stalled check, which a worker makes when it starts, puts it back at the
--   head of the queue. For a new leader, to which no job of an earlier one belongs: without this they would hold the queue for up to the
--   lock's duration and two checks.
-- Keys: 1 active (list), 2 stalled (set), 3 stalled-check; names and meaning are BullMQ's (6.7.0, moveStalledJobsToWait-9.lua)
-- Arguments: 1 prefix of jobs
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', ARGV[1] .. id .. ':lock')
  redis.call('SADD', KEYS[2], id)
end
redis.call('DEL', KEYS[3])
return 1
`);

export async function releaseActiveJobs(connection: Redis, keys: Keys): Promise<void> {
  const queue = `${keys.prefix}:${QUEUE_NAME}:`;
  await script(connection, [`${queue}active`, `${queue}stalled`, `${queue}stalled-check`], [queue]);
}
