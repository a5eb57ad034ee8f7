import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { RedisTarget } from './target.ts';

/**
 * What a connection is for. An edge must answer within 1.5 s whatever Redis does, so its connections queue nothing and give up after 1 s;
 * a connection that blocks must never time out (ioredis 6.0.0 applies `commandTimeout` to blocking commands too, measured); a connection
 * that changes the registry never sends a command of unknown outcome again on its own.
 */
export type ConnectionRole = 'session' | 'edge-queue' | 'registry' | 'leadership' | 'subscriber' | 'worker' | 'board';

const failFast: RedisOptions = { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: 1000, connectTimeout: 1000 };
const patient: RedisOptions = { maxRetriesPerRequest: null, connectTimeout: 2000 };

const optionsByRole: Readonly<Record<ConnectionRole, RedisOptions>> = {
  session: { ...failFast, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false },
  'edge-queue': failFast,
  registry: { ...failFast, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false, commandTimeout: 1500 },
  leadership: { ...failFast, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false },
  subscriber: patient,
  worker: patient,
  board: { ...failFast, commandTimeout: 5000 },
};

/** Opens a connection that comes back by itself within 1 s of Redis being back. Its errors go to the target's log, at most one a second. */
export function openConnection(target: RedisTarget, role: ConnectionRole): Redis {
  const connection = new Redis(target.url, {
    ...optionsByRole[role],
    replyMapping: 'legacy' as const,
    connectionName: `berth-${role}`,
    retryStrategy: (times: number) => Math.min(50 * 2 ** (times - 1), 1000),
  });
  // Every call that waits for the connection listens.
  connection.setMaxListeners(0);
  let loggedAt = -Infinity;
  connection.on('error', (error: Error) => {
    const now = performance.now();
    if (now - loggedAt < 1000) return;
    loggedAt = now;
    target.log('redis connection failed', { connection: role, err: error });
  });
  return connection;
}

/** Ends a connection at once; commands under way are rejected. */
export function closeConnection(connection: Redis): void {
  connection.disconnect();
}
