import { expect, test } from 'vitest';
import { RateWindow } from './rate-window.ts';

test('lets its limit through at once, and the next one exactly 60 s after the first', () => {
  const window = new RateWindow(2);
  expect([window.take(1000), window.take(11_000), window.take(11_000.5), window.take(60_999.5)]).toEqual([0, 0, 49_999.5, 0.5]);
  expect([window.take(61_000), window.take(61_000), window.take(71_000)]).toEqual([0, 10_000, 0]);
});

test('what it refused puts nothing off', () => {
  const window = new RateWindow(1);
  window.take(0);
  for (let nowMs = 1; nowMs < 60_000; nowMs += 1000) expect(window.take(nowMs)).toBe(60_000 - nowMs);
  expect(window.take(60_000)).toBe(0);
});

test.each([1, 2, 3, 7])(
  'never lets more than %i through within any 60 s, and the next one after exactly the wait that it told',
  (limit) => {
    const window = new RateWindow(limit);
    const taken: number[] = [];
    let nowMs = 0;
    for (let step = 1; step <= 500; step += 1) {
      // Pauses of 0 to 29 s in an order without a pattern.
      nowMs += ((step * 7919) % 30) * 1000;
      const waitMs = window.take(nowMs);
      if (waitMs > 0) {
        const oldestMs = taken.at(-limit) ?? 0;
        expect(waitMs).toBe(oldestMs + 60_000 - nowMs);
        nowMs += waitMs;
        expect(window.take(nowMs)).toBe(0);
      }
      taken.push(nowMs);
      expect(taken.filter((atMs) => atMs > nowMs - 60_000).length).toBeLessThanOrEqual(limit);
    }
    expect(taken).toHaveLength(500);
  },
);
