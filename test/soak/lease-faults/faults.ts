import type { TestRedis } from '@berth/redis/testing';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './child.ts';

/** What a fault may touch. */
export interface Faulty {
  readonly redis: TestRedis;
  readonly edges: readonly Child[];
  readonly orchestrators: readonly Child[];
  readonly leaseTtlMs: number;
  readonly leaderTtlMs: number;
}

const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(Math.random() * items.length)];

/** Each takes its time and leaves everything running again. */
export const FAULTS = {
  /** Shorter and longer than its leases live. */
  'edge stalled': async ({ edges, leaseTtlMs }) => {
    const edge = pick(edges);
    edge?.stall();
    await sleep(leaseTtlMs * (0.4 + Math.random()));
    edge?.wake();
  },
  'edge killed': async ({ edges }) => {
    const edge = pick(edges);
    await edge?.kill();
    edge?.start();
  },
  'orchestrator killed': async ({ orchestrators }) => {
    const orchestrator = pick(orchestrators);
    await orchestrator?.kill();
    orchestrator?.start();
  },
  /** The other one takes over meanwhile, and this one wakes as a second leader. */
  'orchestrator stalled': async ({ orchestrators, leaderTtlMs }) => {
    const orchestrator = pick(orchestrators);
    orchestrator?.stall();
    await sleep(leaderTtlMs * (0.5 + Math.random()));
    orchestrator?.wake();
  },
  /** By SIGKILL: up to a second of writes is lost. */
  'redis restarted': async ({ redis }) => {
    await redis.kill();
    await sleep(Math.random() * 1000);
    await redis.start();
  },
  'redis hung': async ({ redis, leaseTtlMs }) => {
    redis.hang();
    await sleep(leaseTtlMs * (0.1 + Math.random() * 0.9));
    redis.resume();
  },
  'redis emptied': async ({ redis }) => {
    const connection = new Redis(redis.url);
    connection.on('error', () => undefined);
    await connection.flushall();
    connection.disconnect();
  },
} as const satisfies Record<string, (faulty: Faulty) => Promise<void>>;

export type Fault = keyof typeof FAULTS;
