import type { Queue } from 'bullmq';
import { atMost } from './close-queue.ts';

const REOPEN_MS = 500;

/**
 * A queue that survives a bad start: BullMQ asks a new connection for its version once, and a queue whose question fails refuses every later
 * call (6.7.0, read in the code). Such a queue is replaced.
 */
export class QueueHandle {
  readonly #open: () => Queue;
  #queue: Queue;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(open: () => Queue) {
    this.#open = open;
    this.#queue = open();
    this.#watch();
  }

  /** The queue as of now; do not keep it. */
  get current(): Queue {
    return this.#queue;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#queue.close();
  }

  #watch(): void {
    const queue = this.#queue;
    queue.waitUntilReady().catch(() => {
      if (this.#closed) return;
      this.#timer = setTimeout(() => {
        void atMost(REOPEN_MS, queue.close()).catch(() => undefined);
        this.#queue = this.#open();
        this.#watch();
      }, REOPEN_MS);
    });
  }
}
