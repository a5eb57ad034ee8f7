import { OperationalError } from '@berth/core';
import type { Term } from '@berth/core';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { targetOf } from '../../test-support/builders.ts';
import { startRedis } from '../../test-support/start-redis.ts';
import type { TestRedis } from '../../test-support/start-redis.ts';
import { until } from '../../test-support/until.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import { createLeadership } from './leadership.ts';

const untilEnded = (term: Term): Promise<unknown> => (term.signal.aborted ? Promise.resolve() : once(term.signal, 'abort'));

describe('leadership', () => {
  let redis: TestRedis;
  let raw: Redis;
  let target: RedisTarget;

  beforeAll(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
  });
  afterAll(async () => {
    raw.disconnect();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    target = targetOf(redis.url);
  });

  const candidate = (id: string) => createLeadership({ target, id, ttlMs: 1000, renewMs: 100, abortAfterMs: 600 });

  it('lets one of two lead, and the other as soon as the first shuts down', async () => {
    await using one = candidate('one');
    await using two = candidate('two');
    const terms: string[] = [];
    const stopOne = new AbortController();
    const stopTwo = new AbortController();
    const lead = (id: string) => async (term: Term) => {
      terms.push(`${id} ${term.epoch}`);
      await untilEnded(term);
    };
    const runOne = one.run(lead('one'), stopOne.signal);
    await until('the first leads', () => terms.length === 1);
    const runTwo = two.run(lead('two'), stopTwo.signal);
    stopOne.abort();
    await runOne;
    await until('the second leads', () => terms.length === 2, 500);
    stopTwo.abort();
    await runTwo;
    const [first = '', second = ''] = terms;
    expect(first.startsWith('one ') && second.startsWith('two ')).toBe(true);
    expect(Number(second.split(' ')[1])).toBeGreaterThan(Number(first.split(' ')[1]));
    expect(await raw.exists(createKeys(target.hostId).leaderLock)).toBe(0);
  });

  it('begins the next term of a process only when the work of the last one has settled', async () => {
    await using leadership = candidate('one');
    const stop = new AbortController();
    const events: string[] = [];
    const { promise: firstMayFinish, resolve: finishFirst } = Promise.withResolvers<void>();
    const run = leadership.run(async (term) => {
      events.push('begun');
      await untilEnded(term);
      if (events.length === 1) await firstMayFinish;
      events.push('settled');
    }, stop.signal);
    await until('it leads', () => events.length === 1);
    await raw.del(createKeys(target.hostId).term);
    await expect(until('the next term', () => events.length > 1, 400)).rejects.toThrow('in vain');
    finishFirst();
    await until('the next term', () => events.length === 3);
    expect(events).toEqual(['begun', 'settled', 'begun']);
    stop.abort();
    await run;
  });

  it('ends the term by itself when Redis cannot confirm it, and takes a new epoch later', async () => {
    await using leadership = candidate('one');
    const stop = new AbortController();
    const terms: Term[] = [];
    const run = leadership.run(async (term) => {
      terms.push(term);
      await untilEnded(term);
    }, stop.signal);
    await until('it leads', () => terms.length === 1);
    redis.hang();
    await until('the term ends', () => terms[0]?.isCurrent() === false, 2000);
    redis.resume();
    await until('it leads again', () => terms.length === 2);
    expect(Number(terms[1]?.epoch)).toBeGreaterThan(Number(terms[0]?.epoch));
    stop.abort();
    await run;
  });

  it('goes on after a term that failed on an expected error, and throws any other', async () => {
    await using leadership = candidate('one');
    let terms = 0;
    const lost = new OperationalError({ code: 'LEADERSHIP_LOST', message: 'x', retryable: true });
    const bug = new TypeError('bug');
    const run = leadership.run(async () => {
      terms += 1;
      throw terms === 1 ? lost : bug;
    }, new AbortController().signal);
    await expect(run).rejects.toBe(bug);
    expect(terms).toBe(2);
    expect(await raw.exists(createKeys(target.hostId).leaderLock)).toBe(0);
  });
});
