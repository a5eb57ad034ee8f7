import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

/** An event of the placement queue, by Redis' clock in whole ms. */
export interface QueueEvent {
  readonly event: string;
  readonly jobId: string;
  readonly name: string | null;
  readonly atMs: number;
}

/** Looks at the placement queue from outside: whether it is empty, and what happened in it. */
export class PlacementQueueView implements AsyncDisposable {
  readonly #redis: Redis;
  readonly #queue: Queue;
  readonly #prefix = 'berth:{local}';

  constructor(url: string) {
    this.#redis = new Redis(url, { maxRetriesPerRequest: null });
    this.#queue = new Queue('placement', { connection: this.#redis, prefix: this.#prefix, skipMetasUpdate: true });
  }

  async isEmpty(): Promise<boolean> {
    const counts = await this.#queue.getJobCounts('wait', 'active', 'delayed', 'prioritized');
    return Object.values(counts).every((count) => count === 0);
  }

  async eventsSince(atMs: number): Promise<readonly QueueEvent[]> {
    const rows = await this.#redis.xrange(`${this.#prefix}:placement:events`, Math.floor(atMs), '+');
    return rows.map(([id, fields]) => {
      const read = (name: string): string | null => {
        const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
        return at === -1 ? null : (fields[at + 1] ?? null);
      };
      return { event: read('event') ?? '', jobId: read('jobId') ?? '', name: read('name'), atMs: Number(id.split('-')[0]) };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
    this.#redis.disconnect();
  }
}
