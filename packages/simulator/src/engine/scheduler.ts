import type { Gate } from './gate.ts';

/** vLLM's `--max-num-seqs` slots. A request waits for one, runs, and gives it back. */
export interface Scheduler {
  readonly running: number;
  readonly waiting: number;
  /** Resolves with the slot held; `interrupted` holds none. Rejects as the gate does, with nothing held. */
  acquire(signal: AbortSignal): Promise<'elapsed' | 'interrupted'>;
  release(): void;
}

export function createScheduler(slots: number, gate: Gate): Scheduler {
  const queue: (() => void)[] = [];
  let running = 0;
  return {
    get running() {
      return running;
    },
    get waiting() {
      return queue.length;
    },
    acquire: async (signal) => {
      if (running < slots && gate.state === 'open') {
        running += 1;
        return 'elapsed';
      }
      return await gate.wait(signal, (elapsed) => {
        queue.push(elapsed);
        return () => {
          const position = queue.indexOf(elapsed);
          if (position >= 0) queue.splice(position, 1);
        };
      });
    },
    release: () => {
      // The slot passes to the next in line without being free in between.
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    },
  };
}
