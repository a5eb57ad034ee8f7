import type { EdgeReplicaId } from '@berth/core';
import type { Redis } from 'ioredis';
import type { Keys } from '../keys.ts';
import { defineScript } from './script.ts';

const script = defineScript(`
-- Guarantee: deletes an edge replica's record, with its leases and waiters, if it is the record of this process.
-- Keys: 1 the replica's record, 2 edges
-- Arguments: 1 replica id, 2 nonce
if redis.call('HGET', KEYS[1], 'nonce') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`);

/** Takes an edge replica out of the registry at once, so that nobody waits for its record to expire. */
export async function leaveEdge(connection: Redis, keys: Keys, id: EdgeReplicaId, nonce: string): Promise<void> {
  await script(connection, [keys.edge(id), keys.edges], [id, nonce]);
}
