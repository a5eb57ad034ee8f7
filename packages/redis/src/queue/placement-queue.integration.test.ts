import { asId, OperationalError } from '@berth/core';
import type { Generation, ModelName, PlacementJob, StepOutcome, Term } from '@berth/core';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { targetOf, termOf } from '../../test-support/builders.ts';
import { startRedis } from '../../test-support/start-redis.ts';
import type { TestRedis } from '../../test-support/start-redis.ts';
import { until } from '../../test-support/until.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import { createPlacementBoard } from './board.ts';
import { createPlacementClient } from './placement-client.ts';
import { createPlacementWorker } from './placement-worker.ts';

const llama = asId<ModelName>('llama');
const ready: StepOutcome = { kind: 'ready', generation: asId<Generation>('1') };
const never = new AbortController().signal;

describe('placement queue', () => {
  let redis: TestRedis;
  let raw: Redis;
  let target: RedisTarget;

  beforeAll(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url, { maxRetriesPerRequest: null });
  });
  afterAll(async () => {
    raw.disconnect();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    target = targetOf(redis.url);
  });

  /** Runs steps for one term, until it is disposed of. */
  function work(step: (job: PlacementJob) => Promise<StepOutcome>, epoch = '1') {
    const worker = createPlacementWorker({ target, lockMs: 2000, stalledMs: 500 });
    const stop = new AbortController();
    const term: Term = termOf(epoch, stop.signal);
    const ended = worker.run(term, step);
    ended.catch(() => undefined);
    return {
      worker,
      term,
      ended,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await Promise.allSettled([ended]);
        await worker[Symbol.asyncDispose]();
      },
    };
  }

  it('makes one job of many requests from two edge replicas, and tells all of them its result', async () => {
    let steps = 0;
    await using one = createPlacementClient({ target });
    await using two = createPlacementClient({ target });
    const asked = [one, two].flatMap((client) => Array.from({ length: 100 }, () => client.place(llama, { signal: never })));
    await using _worker = work(async () => {
      steps += 1;
      return ready;
    });
    const outcomes = await Promise.all(asked);
    expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome)))).toEqual(new Set([JSON.stringify(ready)]));
    expect(steps).toBe(1);
  });

  it('comes back to a step that waits, more often than a job has attempts, and serves others meanwhile', async () => {
    await using client = createPlacementClient({ target });
    const seen: string[] = [];
    await using _worker = work(async (job) => {
      const model = job.kind === 'place' ? job.model : 'tend';
      seen.push(model);
      if (model === 'other') return ready;
      return seen.length > 12 ? ready : { kind: 'later', delayMs: 20 };
    });
    const slow = client.place(llama, { signal: never });
    await until('the first steps', () => seen.length > 2);
    await client.place(asId('other'), { signal: never });
    expect(await slow).toEqual(ready);
    expect(seen.indexOf('other')).toBeLessThan(seen.length - 1);
  });

  it('gives the structured failure of a placement to its waiters, and starts anew for the next one', async () => {
    await using client = createPlacementClient({ target });
    let fails = true;
    await using _worker = work(async () => {
      if (!fails) return ready;
      fails = false;
      const failure = {
        code: 'DOES_NOT_FIT' as const,
        message: 'needs 30000 MiB',
        retryable: false,
        retryAfterMs: 5,
        details: { MiB: 30_000 },
      };
      return { kind: 'failed', failure };
    });
    await expect(client.place(llama, { signal: never })).rejects.toMatchObject({
      code: 'DOES_NOT_FIT',
      message: 'needs 30000 MiB',
      retryAfterMs: 5,
      details: { MiB: 30_000 },
    });
    expect(await client.place(llama, { signal: never })).toEqual(ready);
  });

  it('uses up no attempt on a dependency that fails', async () => {
    await using client = createPlacementClient({ target });
    let tries = 0;
    await using running = work(async () => {
      tries += 1;
      if (tries > 7) return ready;
      throw new OperationalError({ code: 'DOCKER_UNAVAILABLE', message: 'no socket', retryable: true });
    });
    const placed = client.place(llama, { signal: never });
    await until('seven failures', async () => {
      await running.worker.promote(llama);
      return tries > 7;
    });
    expect(await placed).toEqual(ready);
  });

  it('tries a stale plan again at once', async () => {
    await using client = createPlacementClient({ target });
    let tries = 0;
    await using _worker = work(async () => {
      tries += 1;
      if (tries > 3) return ready;
      throw new OperationalError({ code: 'STALE_STATE', message: 'x', retryable: true });
    });
    expect(await client.place(llama, { signal: never })).toEqual(ready);
    expect(tries).toBe(4);
  });

  it('tries a step that has a bug five times, then tells the waiters', { timeout: 20_000 }, async () => {
    await using client = createPlacementClient({ target });
    let tries = 0;
    await using _worker = work(async () => {
      tries += 1;
      throw new TypeError('a bug');
    });
    await expect(client.place(llama, { signal: never })).rejects.toMatchObject({ code: 'ORCHESTRATOR_UNAVAILABLE' });
    expect(tries).toBe(5);
  });

  it('ends the run when a step meets another epoch, and leaves the job to the next leader', async () => {
    await using client = createPlacementClient({ target });
    const placed = client.place(llama, { signal: never });
    {
      await using lost = work(async () => {
        throw new OperationalError({ code: 'LEADERSHIP_LOST', message: 'x', retryable: true });
      });
      await expect(lost.ended).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
    }
    await using _worker = work(async () => ready, '2');
    expect(await placed).toEqual(ready);
  });

  it('waits for the step under way when the term ends', async () => {
    await using client = createPlacementClient({ target });
    void client.place(llama, { signal: never }).catch(() => undefined);
    const stop = new AbortController();
    await using worker = createPlacementWorker({ target });
    const events: string[] = [];
    const { promise: release, resolve } = Promise.withResolvers<void>();
    const run = worker.run(termOf('1', stop.signal), async () => {
      events.push('step begun');
      await release;
      events.push('step settled');
      return ready;
    });
    await until('the step', () => events.length === 1);
    stop.abort();
    resolve();
    await run;
    expect(events).toEqual(['step begun', 'step settled']);
  });

  it('takes over at once what a dead orchestrator left active', async () => {
    await using client = createPlacementClient({ target });
    const placed = client.place(llama, { signal: never });
    const dead = new Redis(redis.url, { maxRetriesPerRequest: null });
    const worker = new Worker('placement', null, { connection: dead, prefix: createKeys(target.hostId).prefix, lockDuration: 600_000 });
    await until('the job is active', async () => (await worker.getNextJob('dead', { block: false })) !== undefined);
    await worker.close(true);
    dead.disconnect();
    await using _worker = work(async () => ready);
    expect(await Promise.race([placed, once(AbortSignal.timeout(3000), 'abort')])).toEqual(ready);
  });

  it('asks again when Redis loses the job', async () => {
    await using client = createPlacementClient({ target, pollMs: 100 });
    const placed = client.place(llama, { signal: never });
    const queue = new Queue('placement', { connection: raw, prefix: createKeys(target.hostId).prefix });
    await until('the job is there', async () => (await queue.getWaitingCount()) === 1);
    await raw.flushall();
    await using _worker = work(async () => ready);
    expect(await placed).toEqual(ready);
  });

  it('keeps one tending job, and does not let placements starve it', async () => {
    await using client = createPlacementClient({ target });
    const tended: number[] = [];
    let steps = 0;
    await using running = work(async (job) => {
      steps += 1;
      if (job.kind === 'place') return tended.length > 0 ? ready : { kind: 'later', delayMs: 0 };
      tended.push(steps);
      return { kind: 'abandoned' };
    });
    const placed = ['a', 'b', 'c'].map((model) => client.place(asId(model), { signal: never }));
    await Promise.all(Array.from({ length: 10 }, () => running.worker.ensureTending()));
    await Promise.all(placed);
    expect(tended).toHaveLength(1);
  });

  it('lists the models that have a job', async () => {
    await using worker = createPlacementWorker({ target });
    await worker.ensurePlacement(llama);
    await worker.ensurePlacement(llama);
    await worker.ensurePlacement(asId('other'));
    await worker.ensureTending();
    expect(await worker.openModels()).toEqual(new Set(['llama', 'other']));
  });

  it('rejects with the reason of a caller that gives up, and goes on for the others', async () => {
    await using client = createPlacementClient({ target });
    const gone = new AbortController();
    const [first, second] = [client.place(llama, { signal: gone.signal }), client.place(llama, { signal: never })];
    gone.abort(new DOMException('left', 'AbortError'));
    await expect(first).rejects.toThrow('left');
    await using _worker = work(async () => ready);
    expect(await second).toEqual(ready);
  });

  it.each(['refused', 'hung'])('says within 2 s that a job cannot be added when Redis is %s', async (how) => {
    await using other = await startRedis();
    await using client = createPlacementClient({ target: { ...target, url: other.url } });
    if (how === 'refused') await other.kill();
    else other.hang();
    const begun = performance.now();
    await expect(client.place(llama, { signal: never })).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  it('works once Redis answers, if it hung when the process started', async () => {
    await using other = await startRedis();
    other.hang();
    const away = { ...target, url: other.url };
    await using client = createPlacementClient({ target: away });
    await using worker = createPlacementWorker({ target: away });
    const early = await Promise.allSettled([client.place(llama, { signal: never }), worker.ensureTending()]);
    expect(early).toMatchObject([{ reason: { code: 'REDIS_UNAVAILABLE' } }, { reason: { code: 'REDIS_UNAVAILABLE' } }]);
    other.resume();
    await until('a job can be added', () => works(worker.ensurePlacement(llama)));
    const stop = new AbortController();
    const run = worker.run(termOf('1', stop.signal), async () => ready);
    expect(await client.place(llama, { signal: never })).toEqual(ready);
    stop.abort();
    await run;
  });

  it('works once Redis lets it, if its first question was refused', async () => {
    const user = `user-${target.hostId}`;
    await raw.call('ACL', 'SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', '-info');
    const refused = { ...target, url: redis.url.replace('redis://', `redis://${user}:secret@`) };
    await using client = createPlacementClient({ target: refused });
    await using worker = createPlacementWorker({ target: refused });
    const early = await Promise.allSettled([client.place(llama, { signal: never }), worker.ensureTending()]);
    expect(early).toMatchObject([{ reason: { code: 'REDIS_UNAVAILABLE' } }, { reason: { code: 'REDIS_UNAVAILABLE' } }]);
    await raw.call('ACL', 'SETUSER', user, '+info');
    await until('the orchestrator can add a job', () => works(worker.ensurePlacement(llama)));
    const stop = new AbortController();
    const run = worker.run(termOf('1', stop.signal), async () => ready);
    await until('the edge can too', () => works(client.place(llama, { signal: never })));
    stop.abort();
    await run;
  });

  it('settles the run while Redis is away', async () => {
    await using other = await startRedis();
    await using worker = createPlacementWorker({ target: { ...target, url: other.url } });
    const stop = new AbortController();
    let steps = 0;
    const run = worker.run(termOf('1', stop.signal), async () => {
      steps += 1;
      return { kind: 'later', delayMs: 0 };
    });
    await worker.ensurePlacement(llama);
    await until('steps are run', () => steps > 2);
    other.hang();
    stop.abort();
    await expect(Promise.race([run.then(() => 'settled'), once(AbortSignal.timeout(8000), 'abort')])).resolves.toBe('settled');
  });

  it('shows the queue to Bull Board, read-only', async () => {
    await using worker = createPlacementWorker({ target });
    await worker.ensurePlacement(llama);
    await using board = createPlacementBoard(target);
    expect(board.adapter.readOnlyMode).toBe(true);
    expect((await board.adapter.getJobs(['waiting'], 0, 10)).map((job) => job.data)).toEqual([{ version: 1, model: 'llama' }]);
  });
});

function works(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  );
}
