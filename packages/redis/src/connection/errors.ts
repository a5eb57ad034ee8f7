import { OperationalError } from '@berth/core';
import type { Redis } from 'ioredis';

/** Replies by which Redis says that it cannot serve now; any other error reply means that we sent something wrong. */
const unavailableReply =
  /^(LOADING|OOM|READONLY|MASTERDOWN|MISCONF|NOAUTH|WRONGPASS|NOPERM|NOREPLICAS|CLUSTERDOWN|TRYAGAIN|BUSY|UNKILLABLE|EXECABORT|ERR max number of clients)/;

/** `REDIS_UNAVAILABLE` for what a connection reports when Redis is away, hung, full or refuses us; a bug stays the error it is. */
export function asRedisError(error: unknown, what: string): unknown {
  if (error instanceof OperationalError) return error;
  if (!(error instanceof Error)) return error;
  if (error.name === 'ReplyError' && !unavailableReply.test(error.message)) return error;
  if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError || error.name === 'ZodError') return error;
  return redisUnavailable(what, error);
}

export function redisUnavailable(what: string, cause: unknown): OperationalError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OperationalError({
    code: 'REDIS_UNAVAILABLE',
    message: `Redis did not ${what} (${reason}). The outcome is unknown; it is tried again when Redis answers.`,
    retryable: true,
    retryAfterMs: 2000,
    cause,
  });
}

/** Runs commands, and turns connection trouble into `REDIS_UNAVAILABLE`. A connection that is just coming up gets up to 1 s for it. */
export async function withRedis<Result>(connection: Redis, what: string, run: () => Promise<Result>): Promise<Result> {
  try {
    await untilReady(connection, 1000);
    return await run();
  } catch (error) {
    throw asRedisError(error, what);
  }
}

/** Resolves when the connection is usable; rejects after `timeoutMs`, or once it was closed for good, with what it last failed on. */
export async function untilReady(connection: Redis, timeoutMs: number): Promise<void> {
  if (connection.status === 'ready') return;
  if (connection.status === 'end') throw redisUnavailable('answer', new Error('the connection was closed'));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let failure: Error | null = null;
  const onError = (error: Error): void => {
    failure = error;
  };
  const fail = (why: string): void => reject(redisUnavailable('answer', failure ?? new Error(why)));
  const onEnd = (): void => fail('the connection was closed');
  const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
  connection.once('ready', resolve);
  connection.once('end', onEnd);
  connection.on('error', onError);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    connection.off('ready', resolve);
    connection.off('end', onEnd);
    connection.off('error', onError);
  }
}

/** Rejects with `REDIS_UNAVAILABLE` after `timeoutMs`, for calls into BullMQ that can wait for ever (6.7.0, measured). */
export async function within<Result>(timeoutMs: number, what: string, result: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(redisUnavailable(what, new Error(`no answer within ${timeoutMs} ms`))), timeoutMs);
  try {
    return await Promise.race([result, promise]);
  } catch (error) {
    throw asRedisError(error, what);
  } finally {
    clearTimeout(timer);
  }
}
