import { expect, it } from 'vitest';
import { PhaseTimes } from './phase-times.ts';

it('adds up a phase that a load comes back to', () => {
  const times = new PhaseTimes('created', 0);
  times.enter('weights', 100);
  times.enter('downloading', 150);
  times.enter('weights', 1_150);
  times.enter('weights', 1_500);
  expect(times.sinceMs).toBe(1_150);
  expect(times.end(2_150)).toEqual({ created: 100, weights: 1_050, downloading: 1_000 });
});

it('tells nothing of a load whose beginning was not seen, but when its phase began', () => {
  const times = new PhaseTimes('weights', null);
  expect(times.sinceMs).toBeNull();
  times.enter('graphs', 500);
  expect(times.sinceMs).toBe(500);
  expect(times.end(900)).toEqual({});
});
