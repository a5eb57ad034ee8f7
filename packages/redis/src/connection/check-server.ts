import { OperationalError } from '@berth/core';
import { closeConnection, openConnection } from './open-connection.ts';
import { withRedis } from './errors.ts';
import type { RedisTarget } from './target.ts';

/** What was found at the server. */
export interface ServerReport {
  readonly product: 'redis' | 'valkey';
  readonly version: string;
  /** Allowed but risky, for the log. */
  readonly warnings: readonly string[];
}

/**
 * Looks whether a Redis is fit for use. Throws `REDIS_UNAVAILABLE` when it does not answer within 2 s, and `INVALID_SETTINGS` for a server
 * older than 6.2 (`ZADD GT` is needed) and for an eviction policy other than `noeviction`: a full Redis would drop leases and jobs.
 * A server that hides its configuration (`CONFIG` is renamed at some hosts) is judged by `INFO` alone.
 */
export async function checkServer(target: RedisTarget): Promise<ServerReport> {
  const connection = openConnection(target, 'registry');
  try {
    const info = parseInfo(await withRedis(connection, 'tell its version', () => connection.info()));
    const product = info.has('valkey_version') ? 'valkey' : 'redis';
    const version = info.get('valkey_version') ?? info.get('redis_version') ?? '0';
    if (product === 'redis' && isOlder(version, [6, 2])) {
      throw unfit(`Redis ${version} is too old: Berth needs Redis 6.2 or newer, or Valkey.`, { version });
    }
    const policy = info.get('maxmemory_policy') ?? 'unknown';
    if (policy !== 'noeviction') {
      throw unfit(
        `Redis evicts keys when it is full (maxmemory-policy is "${policy}"), which would lose leases and jobs. ` +
          'Set it: redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.',
        { policy },
      );
    }
    const warnings =
      info.get('aof_enabled') === '1'
        ? []
        : ['Redis has no append-only file (appendonly no): a restart forgets the queue and the registry, which are then rebuilt.'];
    return { product, version, warnings };
  } finally {
    closeConnection(connection);
  }
}

function parseInfo(text: string): ReadonlyMap<string, string> {
  const rows = text.split(/\r?\n/).map((row) => row.split(':', 2));
  return new Map(rows.flatMap(([key, value]) => (key !== undefined && value !== undefined ? [[key, value] as const] : [])));
}

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [haveMajor = 0, haveMinor = 0] = version.split('.').map(Number);
  return haveMajor < major || (haveMajor === major && haveMinor < minor);
}

function unfit(message: string, details: Record<string, unknown>): OperationalError {
  return new OperationalError({ code: 'INVALID_SETTINGS', message, retryable: false, details });
}
