import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks until the answer is neither `null`, `undefined` nor `false`, and returns it. Fails after `withinMs` with what was awaited: a deadline
 * for a broken program, not a measure of speed.
 */
export async function eventually<Answer>(
  what: string,
  ask: () => Promise<Answer | null | undefined | false> | Answer | null | undefined | false,
  withinMs = 20_000,
): Promise<Answer> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await sleep(20);
  }
}
