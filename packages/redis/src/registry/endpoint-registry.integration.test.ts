import { asId } from '@berth/core';
import type { Generation, ModelName, Term } from '@berth/core';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { drainingOf, openSession, readyEndpoint, startingEndpoint, stoppingOf, targetOf, termOf } from '../../test-support/builders.ts';
import { startRedis } from '../../test-support/start-redis.ts';
import type { TestRedis } from '../../test-support/start-redis.ts';
import { until } from '../../test-support/until.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import { takeLeadership } from '../scripts/take-leadership.ts';
import { createEndpointRegistry } from './endpoint-registry.ts';
import { createRegistryReader } from './registry-reader.ts';

const llama = asId<ModelName>('llama');

describe('endpoint registry', () => {
  let redis: TestRedis;
  let target: RedisTarget;
  let term: Term;
  let raw: Redis;

  beforeAll(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
  });
  afterAll(async () => {
    raw.disconnect();
    await redis[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    target = targetOf(redis.url);
    const taken = await takeLeadership(raw, createKeys(target.hostId), { id: 'me', ttlMs: 60_000, takenEpoch: '0' });
    term = termOf(taken.kind === 'taken' ? taken.epoch : '');
  });

  const open = () => createEndpointRegistry({ target, leaseTtlMs: 500, leaseQuietMs: 100 });

  it('reads back what was committed', async () => {
    await using registry = open();
    const generation = await registry.nextGeneration();
    const endpoint = readyEndpoint(generation);
    const claim = {
      model: llama,
      allocations: endpoint.allocations,
      discovery: true,
      victims: [generation],
      claimedAtMs: 1,
      drainingSinceMs: null,
    };
    const wish = {
      id: 'w',
      model: llama,
      right: 'place' as const,
      kind: 'operator' as const,
      arrivedAtMs: 1,
      endsAtMs: Date.now() + 60_000,
    };
    const failure = { code: 'ENGINE_EXITED' as const, message: 'exit 1', retryable: false, details: { exitCode: 1 } };
    const quarantine = { model: llama, failures: 2, untilMs: 5, failure };
    await registry.commit(term, { putEndpoints: [endpoint], putClaims: [claim], putWishes: [wish], putQuarantines: [quarantine] });
    const state = await registry.read();
    expect(state).toMatchObject({ endpoints: [endpoint], claims: [claim], wishes: [wish], quarantines: [quarantine] });
    expect(state.lastUsedAtMs.get(generation)).toBeGreaterThan(0);
    await registry.commit(term, { removeEndpoints: [generation], removeClaims: [llama], removeWishes: ['w'], removeQuarantines: [llama] });
    expect(await registry.read()).toMatchObject({ endpoints: [], claims: [], wishes: [], quarantines: [], lastUsedAtMs: new Map() });
  });

  it('leaves no key behind when all endpoints are removed', async () => {
    await using registry = open();
    const generation = await registry.nextGeneration();
    await registry.commit(term, { putEndpoints: [readyEndpoint(generation)] });
    await registry.commit(term, { removeEndpoints: [generation] });
    const { prefix } = createKeys(target.hostId);
    expect((await raw.keys(`${prefix}:*`)).toSorted()).toEqual([`${prefix}:last-generation`, `${prefix}:leader-lock`, `${prefix}:term`]);
  });

  it('writes nothing at all when one expectation does not hold', async () => {
    await using registry = open();
    const first = await registry.nextGeneration();
    const second = await registry.nextGeneration();
    await registry.commit(term, { expect: [{ generation: first, state: null }], putEndpoints: [startingEndpoint(first)] });
    const change = {
      expect: [
        { generation: first, state: 'starting' as const },
        { generation: second, state: 'ready' as const },
      ],
      putEndpoints: [readyEndpoint(first), readyEndpoint(second)],
    };
    await expect(registry.commit(term, change)).rejects.toMatchObject({ code: 'STALE_STATE', details: { generation: second, seen: '' } });
    expect((await registry.read()).endpoints).toEqual([startingEndpoint(first)]);
  });

  it('refuses the writes of another epoch', async () => {
    await using registry = open();
    const generation = await registry.nextGeneration();
    const old = termOf('1');
    await expect(registry.commit(old, { putEndpoints: [readyEndpoint(generation)] })).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
    await expect(registry.stopDrained(old, stoppingOf(readyEndpoint(generation)))).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
    expect((await registry.read()).endpoints).toEqual([]);
  });

  it('sends nothing in a term that is over', async () => {
    await using registry = open();
    const over = termOf(term.epoch, AbortSignal.abort());
    await expect(registry.commit(over, {})).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
  });

  it('never gives a generation twice, not even when Redis lost its data', async () => {
    await using registry = open();
    const given = await Promise.all(Array.from({ length: 50 }, () => registry.nextGeneration()));
    await raw.del(createKeys(target.hostId).lastGeneration);
    given.push(await registry.nextGeneration());
    expect(new Set(given).size).toBe(51);
    expect(given.map(Number).toSorted((a, b) => a - b)).toEqual(given.map(Number));
  });

  it('stops a drained endpoint only when no edge replica holds a lease on it', async () => {
    await using registry = open();
    const generation = await registry.nextGeneration();
    const endpoint = readyEndpoint(generation);
    await registry.commit(term, { putEndpoints: [endpoint] });
    const edge = await openSession(target);
    try {
      await edge.acquire(llama);
      const slot = edge.begin(llama);
      await registry.commit(term, { putEndpoints: [drainingOf(endpoint)] });
      expect(await registry.stopDrained(term, stoppingOf(endpoint))).toBe(false);
      slot?.end();
      await until('the lease is given back', () => registry.stopDrained(term, stoppingOf(endpoint)));
    } finally {
      await edge.close();
    }
    expect((await registry.read()).endpoints).toEqual([stoppingOf(endpoint)]);
    await expect(registry.stopDrained(term, stoppingOf(endpoint))).rejects.toMatchObject({ code: 'STALE_STATE' });
  });

  it('stops nothing that is older than a loss of data before every lost lease has ended', async () => {
    await using registry = open();
    const old = asId<Generation>('1700000000000');
    const young = await registry.nextGeneration();
    await registry.commit(term, { putEndpoints: [drainingOf(readyEndpoint(old)), drainingOf(readyEndpoint(young))] });
    await raw.hset(createKeys(target.hostId).term, 'runId', 'another process');
    expect(await registry.stopDrained(term, stoppingOf(readyEndpoint(old)))).toBe(false);
    const { nowMs } = await registry.read();
    expect(registry.quietUntilMs()).toBeGreaterThan(nowMs);
    await until('the quiet period is over', () => registry.stopDrained(term, stoppingOf(readyEndpoint(old))));
    expect((await registry.read()).nowMs).toBeGreaterThanOrEqual(registry.quietUntilMs());
  });

  it('stops an endpoint that is younger than the loss at once', async () => {
    await using registry = open();
    await registry.read();
    const generation = await registry.nextGeneration();
    await registry.commit(term, { putEndpoints: [drainingOf(readyEndpoint(generation))] });
    expect(await registry.stopDrained(term, stoppingOf(readyEndpoint(generation)))).toBe(true);
  });

  it('publishes a hint for every change of state', async () => {
    await using registry = open();
    const generation = await registry.nextGeneration();
    const listener = new Redis(redis.url);
    const hints: string[] = [];
    listener.on('message', (_channel, text) => hints.push(text));
    await listener.subscribe(createKeys(target.hostId).hints);
    await registry.commit(term, { putEndpoints: [startingEndpoint(generation)] });
    await registry.commit(term, { putEndpoints: [startingEndpoint(generation, { phase: 'weights' })] });
    await registry.commit(term, { putEndpoints: [readyEndpoint(generation)] });
    await registry.commit(term, { removeEndpoints: [generation] });
    await until('all hints arrive', () => hints.length >= 3);
    listener.disconnect();
    expect(hints).toEqual([`starting ${generation} llama`, `ready ${generation} llama`, `gone ${generation} llama`]);
  });

  it('refuses a record of a version it does not know', async () => {
    await using registry = open();
    const keys = createKeys(target.hostId);
    await raw.hset(keys.claims, 'llama', JSON.stringify({ version: 2, model: 'llama' }));
    await expect(registry.read()).rejects.toMatchObject({ code: 'UNKNOWN_VERSION' });
  });

  it('says within 2.5 s that Redis is away', async () => {
    await using registry = createEndpointRegistry({ target: { ...target, url: 'redis://127.0.0.1:1' }, leaseTtlMs: 1, leaseQuietMs: 1 });
    const begun = performance.now();
    await expect(registry.read()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', retryable: true });
    expect(performance.now() - begun).toBeLessThan(2500);
  });

  it('publishes statuses and the host view to readers', async () => {
    await using registry = open();
    await using reader = createRegistryReader(target);
    const status = {
      model: llama,
      stage: 'starting' as const,
      reasons: [{ code: 'fits' as const, numbers: { MiB: 1 } }],
      updatedAtMs: 1,
      detail: null,
      progress: 0.5,
      phaseProgress: null,
      etaMs: null,
    };
    const host = { updatedAtMs: 1, readingsAvailable: false, problems: [{ code: 'GPU_PROBE_FAILED', message: 'x' }], gpus: [] };
    await registry.putPlacementStatus(term, status);
    await registry.putHostView(term, host);
    expect(await reader.readPlacementStatuses()).toEqual([status]);
    expect(await reader.readLeader()).toMatchObject({ id: 'me', epoch: term.epoch, host });
    await raw.del(createKeys(target.hostId).leaderLock);
    expect(await reader.readLeader()).toBeNull();
  });

  it('keeps the age of a wish that is repeated, and forgets one that ended', async () => {
    await using reader = createRegistryReader(target);
    const wish = { id: 'w', model: llama, right: 'displace' as const, kind: 'waiter' as const };
    await reader.putWish({ ...wish, arrivedMsAgo: 5000, endsInMs: 60_000 });
    await reader.putWish({ ...wish, arrivedMsAgo: 0, endsInMs: 1000 });
    await reader.putWish({ ...wish, id: 'ended', arrivedMsAgo: 0, endsInMs: 0 });
    const { nowMs, wishes } = await reader.read();
    expect(wishes).toHaveLength(1);
    expect(nowMs - (wishes[0]?.arrivedAtMs ?? 0)).toBeGreaterThanOrEqual(5000);
    expect((wishes[0]?.endsAtMs ?? 0) - nowMs).toBeGreaterThan(50_000);
  });

  it('hands stop requests to the orchestrator', async () => {
    await using registry = open();
    await using reader = createRegistryReader(target);
    await reader.putStopRequest({ id: 's', target: { kind: 'model', model: llama }, force: false, deadlineMs: null });
    expect((await registry.read()).stopRequests).toMatchObject([
      { id: 's', target: { kind: 'model', model: 'llama' }, force: false, deadlineMs: null },
    ]);
    await registry.commit(term, { removeStopRequests: ['s'] });
    expect((await registry.read()).stopRequests).toEqual([]);
  });
});
