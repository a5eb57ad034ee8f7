import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { asId } from '@berth/core';
import type { Generation, ModelName, PlacementRight, ReadyEndpoint, Term, WaiterTicket } from '@berth/core';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drainingOf, openSession, readyEndpoint, startingEndpoint, stoppingOf, targetOf, termOf } from '../../test-support/builders.ts';
import { startRedis } from '../../test-support/start-redis.ts';
import type { TestRedis } from '../../test-support/start-redis.ts';
import { until } from '../../test-support/until.ts';
import type { RedisTarget } from '../connection/target.ts';
import { createKeys } from '../keys.ts';
import { createEndpointRegistry } from '../registry/endpoint-registry.ts';
import type { RedisEndpointRegistry } from '../registry/endpoint-registry.ts';
import { takeLeadership } from '../scripts/take-leadership.ts';
import type { EdgeSessionOptions } from './edge-session-options.ts';
import type { RedisEdgeSession } from './edge-session.ts';

const llama = asId<ModelName>('llama');

describe('edge session', () => {
  let redis: TestRedis;
  let raw: Redis;
  let target: RedisTarget;
  let term: Term;
  let registry: RedisEndpointRegistry;
  let endpoint: ReadyEndpoint;
  const sessions: RedisEdgeSession[] = [];

  beforeEach(async () => {
    redis = await startRedis();
    raw = new Redis(redis.url);
    raw.on('error', () => undefined);
    target = targetOf(redis.url);
    await lead();
    registry = createEndpointRegistry({ target, leaseTtlMs: 2000, leaseQuietMs: 100 });
    endpoint = readyEndpoint(await registry.nextGeneration());
    await registry.commit(term, { putEndpoints: [endpoint] });
  });
  afterEach(async () => {
    redis.resume();
    for (const session of sessions.splice(0)) await session.close();
    await registry[Symbol.asyncDispose]();
    raw.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  async function lead(): Promise<void> {
    const taken = await takeLeadership(raw, createKeys(target.hostId), { id: 'me', ttlMs: 600_000, takenEpoch: '0' });
    term = termOf(taken.kind === 'taken' ? taken.epoch : '');
  }

  async function open(changes: Partial<EdgeSessionOptions> = {}): Promise<RedisEdgeSession> {
    const session = await openSession(target, changes);
    sessions.push(session);
    return session;
  }

  async function reportedInFlight(): Promise<number | undefined> {
    return (await registry.read()).edges[0]?.leases[0]?.inFlight;
  }

  async function lastUsedAtMs(): Promise<number> {
    return (await registry.read()).lastUsedAtMs.get(endpoint.generation) ?? 0;
  }

  it('reports no failure when its connections come up one after the other', async () => {
    let [connections, isSecondUp] = [0, false];
    const release = Promise.withResolvers<void>();
    const { port } = new URL(redis.url);
    const proxy = createServer((client) => {
      const isFirst = (connections += 1) === 1;
      const server = connect(Number(port), '127.0.0.1');
      client.on('error', () => undefined).on('close', () => server.destroy());
      server.on('error', () => undefined).on('close', () => client.destroy());
      client.pipe(server);
      void (isFirst ? release.promise : Promise.resolve()).then(() => server.pipe(client));
      if (!isFirst) server.once('data', () => (isSecondUp = true));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const lines: string[] = [];
    const address = proxy.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
    const opening = openSession({ ...target, url: `redis://127.0.0.1:${address.port}`, log: (message) => lines.push(message) });
    await until('the second one is up', () => Promise.resolve(isSecondUp));
    await sleep(50);
    release.resolve();
    const session = await opening;
    sessions.push(session);
    expect(session.synced).toBe(true);
    expect(lines).toEqual([]);
    await session.close();
    proxy.close();
  });

  it('begins requests on a ready endpoint once it has a lease, and reports how many are in flight', async () => {
    const session = await open();
    expect(session.begin(llama)).toBeNull();
    expect(await Promise.all([session.acquire(llama), session.acquire(llama)])).toEqual([{ kind: 'ready' }, { kind: 'ready' }]);
    const slots = [session.begin(llama), session.begin(llama)];
    expect(slots[0]?.endpoint).toEqual({
      generation: endpoint.generation,
      model: llama,
      urls: endpoint.urls,
      servedNames: ['llama'],
      hasCounter: true,
    });
    await until('both are reported', async () => (await reportedInFlight()) === 2);
    slots[0]?.end();
    slots[0]?.end();
    expect(session.inFlight()).toBe(1);
    await until('one is reported', async () => (await reportedInFlight()) === 1);
  });

  it('counts its leases by state, requests in flight and waiters for whoever measures it', async () => {
    const session = await open();
    expect(session.counts()).toEqual({ leases: [], waiters: new Map(), syncAgeMs: expect.any(Number) });
    const other = asId<ModelName>('other');
    const waiter = { model: other, right: 'place' as const, arrivedAtMs: Date.now(), deadlineAtMs: Date.now() + 60_000 };
    const tickets = [await session.join(waiter), await session.join({ ...waiter, right: 'displace' })];
    await session.acquire(llama);
    session.begin(llama);
    expect(session.counts()).toMatchObject({ leases: [{ model: llama, state: 'open', inFlight: 1 }], waiters: new Map([[other, 2]]) });
    for (const ticket of tickets) ticket.leave();
    expect(session.counts().waiters.size).toBe(0);
    await registry.commit(term, { putEndpoints: [drainingOf(endpoint)] });
    await until('the drain is known', async () => session.counts().leases[0]?.state === 'draining');
    expect(session.counts().syncAgeMs).toBeLessThan(60_000);
  });

  it('tells the state of a model that cannot be leased', async () => {
    const session = await open();
    const other = asId<ModelName>('other');
    expect(await session.acquire(other)).toEqual({ kind: 'not-ready', state: 'none' });
    await registry.commit(term, { putEndpoints: [startingEndpoint(await registry.nextGeneration(), { model: other })] });
    expect(await session.acquire(other)).toEqual({ kind: 'not-ready', state: 'starting' });
  });

  it('leases the newest ready generation', async () => {
    const newer = readyEndpoint(await registry.nextGeneration());
    const starting = startingEndpoint(await registry.nextGeneration());
    await registry.commit(term, { putEndpoints: [newer, starting] });
    const session = await open();
    await session.acquire(llama);
    expect(session.begin(llama)?.endpoint.generation).toBe(newer.generation);
  });

  it('gives a lease back only when nothing is in flight and its sockets are closed', async () => {
    const session = await open();
    const closed: Generation[] = [];
    const { promise: release, resolve } = Promise.withResolvers<void>();
    session.onLeaseEnding(async (generation) => {
      closed.push(generation);
      await release;
    });
    await session.acquire(llama);
    const slot = session.begin(llama);
    await registry.commit(term, { putEndpoints: [drainingOf(endpoint)] });
    await until('new requests are blocked', () => !begins(session, llama));
    expect(await session.acquire(llama)).toEqual({ kind: 'not-ready', state: 'draining' });
    expect(closed).toEqual([]);
    slot?.end();
    await until('sockets are being closed', () => closed.length === 1);
    await session.acquire(llama);
    expect(await registry.stopDrained(term, stoppingOf(endpoint))).toBe(false);
    resolve();
    await until('the lease is given back', () => registry.stopDrained(term, stoppingOf(endpoint)));
    expect(closed).toEqual([endpoint.generation]);
    expect(slot?.gone.aborted).toBe(false);
  });

  it('begins again when a drain is called off', async () => {
    const session = await open();
    await session.acquire(llama);
    const slot = session.begin(llama);
    await registry.commit(term, { putEndpoints: [drainingOf(endpoint)] });
    await until('new requests are blocked', () => !begins(session, llama));
    await registry.commit(term, { putEndpoints: [endpoint] });
    await until('requests begin', () => begins(session, llama));
    slot?.end();
  });

  it('learns of a drain without its hint', async () => {
    const session = await open();
    await session.acquire(llama);
    await raw.hset(createKeys(target.hostId).endpoint(endpoint.generation), 'state', 'draining');
    await until('new requests are blocked', () => !begins(session, llama));
  });

  it('aborts the requests of an endpoint that is stopped by force, and closes its sockets', async () => {
    const session = await open();
    const closed: Generation[] = [];
    session.onLeaseEnding(async (generation) => void closed.push(generation));
    await session.acquire(llama);
    const slot = session.begin(llama);
    await registry.commit(term, { putEndpoints: [stoppingOf(endpoint)] });
    await until('the request is aborted', () => slot?.gone.aborted === true);
    expect(slot?.gone.reason).toMatchObject({ code: 'ENGINE_EXITED' });
    expect(closed).toEqual([endpoint.generation]);
    slot?.end();
    expect(session.inFlight()).toBe(0);
    expect(session.begin(llama)).toBeNull();
  });

  it('aborts nothing when Redis lost its data, and goes on when the endpoint is registered again', async () => {
    const session = await open({ degradedMs: 10_000 });
    await session.acquire(llama);
    const slot = session.begin(llama);
    await raw.flushall();
    await sleep(600);
    expect(slot?.gone.aborted).toBe(false);
    expect(session.begin(llama)).not.toBeNull();
    await lead();
    await session.acquire(llama);
    expect(slot?.gone.aborted).toBe(false);
    await registry.commit(term, { putEndpoints: [endpoint] });
    expect(await session.acquire(llama)).toEqual({ kind: 'ready' });
    expect((await registry.read()).edges[0]?.leases).toEqual([{ generation: endpoint.generation, inFlight: 2 }]);
  });

  it('ends a lease that no registry knows any more, after its validity', async () => {
    const session = await open();
    await session.acquire(llama);
    await raw.flushall();
    await until('nothing begins', () => !begins(session, llama), 3000);
    await until('it is not reported', async () => (await registry.read()).edges[0]?.leases.length === 0);
  });

  it('goes on without Redis for the degraded time beyond its validity, but not on an engine without a counter', async () => {
    const blind = readyEndpoint(await registry.nextGeneration(), { model: asId('blind'), hasCounter: false });
    await registry.commit(term, { putEndpoints: [blind] });
    const session = await open({ degradedMs: 2000 });
    await session.acquire(llama);
    await session.acquire(blind.model);
    redis.hang();
    const hungAt = performance.now();
    await until('the engine without a counter is left', () => !begins(session, blind.model), 3000);
    expect(begins(session, llama)).toBe(true);
    await until('the other one too', () => !begins(session, llama), 5000);
    expect(performance.now() - hungAt).toBeGreaterThan(3000);
    expect(session.failingSinceMs).not.toBeNull();
    redis.resume();
    await until('it syncs again', () => session.failingSinceMs === null);
    expect(await session.acquire(llama)).toEqual({ kind: 'ready' });
  });

  it('does not begin on an endpoint that was found dead before Redis confirms it', async () => {
    const session = await open({ leaseRenewMs: 60_000 });
    await session.acquire(llama);
    session.suspect(endpoint.generation);
    expect(session.begin(llama)).toBeNull();
    expect(await session.acquire(llama)).toEqual({ kind: 'ready' });
    expect(session.begin(llama)).not.toBeNull();
  });

  it('registers waiters by model and right before they wait, with their ages and deadlines', async () => {
    const session = await open();
    const tickets = [await join(session, { ageMs: 5000 }), await join(session), await join(session, { right: 'displace' })];
    const { nowMs, edges } = await registry.read();
    const waiters = edges[0]?.waiters.toSorted((a, b) => a.right.localeCompare(b.right));
    expect(waiters).toMatchObject([
      { model: 'llama', right: 'displace', count: 1 },
      { model: 'llama', right: 'place', count: 2 },
    ]);
    expect(nowMs - (waiters?.[1]?.oldestArrivedAtMs ?? 0)).toBeGreaterThanOrEqual(4990);
    expect((waiters?.[1]?.latestDeadlineAtMs ?? 0) - nowMs).toBeGreaterThan(59_000);
    for (const ticket of tickets) ticket.leave();
    tickets[0]?.leave();
    await until('nobody waits', async () => (await registry.read()).edges[0]?.waiters.length === 0);
  });

  it('reports the same arrival with every sync', async () => {
    const session = await open({ leaseRenewMs: 20 });
    await join(session, { ageMs: 1000 });
    const arrivals = new Set<number | undefined>();
    for (let read = 0; read < 10; read += 1) {
      arrivals.add((await registry.read()).edges[0]?.waiters[0]?.oldestArrivedAtMs);
      await sleep(25);
    }
    expect(arrivals.size).toBe(1);
  });

  it('reports its waiters and leases again after its record has expired', async () => {
    const session = await open();
    await session.acquire(llama);
    session.begin(llama);
    await join(session);
    await raw.del((await raw.keys(`${createKeys(target.hostId).edgePrefix}*`))[0] ?? '');
    expect((await registry.read()).edges).toEqual([]);
    await until('all is back', async () => (await registry.read()).edges[0]?.waiters[0]?.count === 1);
    expect((await registry.read()).edges[0]?.leases).toEqual([{ generation: endpoint.generation, inFlight: 1 }]);
  });

  it('admits exactly as many waiters as the limits allow, over all edge replicas', async () => {
    const limits = { maxWaitersPerModel: 50, maxWaiters: 70 };
    const replicas = await Promise.all([open(limits), open(limits), open(limits)]);
    const other = asId<ModelName>('other');
    const ask = (model: ModelName) =>
      Promise.allSettled(replicas.flatMap((session) => Array.from({ length: 40 }, () => join(session, { model }))));
    const first = await ask(llama);
    const second = await ask(other);
    expect(first.filter(({ status }) => status === 'fulfilled')).toHaveLength(50);
    expect(second.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
    const refused = [...first, ...second].find(({ status }) => status === 'rejected');
    expect(refused).toMatchObject({ reason: { code: 'QUEUE_FULL', retryAfterMs: 5000 } });
  });

  it('counts a request as a use until its end', async () => {
    const session = await open();
    await session.acquire(llama);
    const slot = session.begin(llama);
    const begun = await lastUsedAtMs();
    await until('the use is renewed while busy', async () => (await lastUsedAtMs()) >= begun + 400);
    slot?.end();
    await sleep(450);
    const ended = await lastUsedAtMs();
    await sleep(450);
    expect(await lastUsedAtMs()).toBe(ended);
  });

  it('answers within 1.5 s when Redis hangs, and forgets what it could not register', async () => {
    const session = await open();
    redis.hang();
    const begun = performance.now();
    const calls = await Promise.allSettled([session.acquire(llama), join(session)]);
    expect(calls).toMatchObject([{ reason: { code: 'REDIS_UNAVAILABLE' } }, { reason: { code: 'REDIS_UNAVAILABLE' } }]);
    expect(performance.now() - begun).toBeLessThan(1500);
    redis.resume();
    await until('it syncs again', () => session.failingSinceMs === null);
    await session.acquire(llama);
    expect((await registry.read()).edges[0]?.waiters).toEqual([]);
  });

  it('starts without Redis, and syncs when it comes', async () => {
    await redis.kill();
    const session = await open();
    expect(session.synced).toBe(false);
    await expect(session.acquire(llama)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await redis.start();
    await until('the first sync', () => session.synced);
  });

  it('takes its record with it when it closes', async () => {
    const session = await open();
    await session.acquire(llama);
    await join(session);
    await session.close();
    expect((await registry.read()).edges).toEqual([]);
    await expect(session.acquire(llama)).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
  });
});

/** Whether a request of the model may begin now. */
function begins(session: RedisEdgeSession, model: ModelName): boolean {
  const slot = session.begin(model);
  slot?.end();
  return slot !== null;
}

/** Registers a waiter that has a minute. */
function join(
  session: RedisEdgeSession,
  changes: { model?: ModelName; ageMs?: number; right?: PlacementRight } = {},
): Promise<WaiterTicket> {
  return session.join({
    model: changes.model ?? llama,
    right: changes.right ?? 'place',
    arrivedAtMs: Date.now() - (changes.ageMs ?? 0),
    deadlineAtMs: Date.now() + 60_000,
  });
}
