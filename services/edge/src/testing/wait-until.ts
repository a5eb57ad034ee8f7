import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the condition holds; throws after `withinMs` with what it waited for. */
export async function waitUntil(what: string, holds: () => boolean, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(5);
  }
}
