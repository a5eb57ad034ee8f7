import { expect, it } from 'vitest';
import { WaitTiming } from './wait-timing.ts';

it('tells queueing and placing of all waits, also while one goes on', () => {
  let nowMs = 1_000;
  const timing = new WaitTiming(() => nowMs);
  expect(String(timing)).toBe('queue;dur=0, place;dur=0');
  const end = timing.begin();
  nowMs += 1_300;
  expect(String(timing)).toBe('queue;dur=1300, place;dur=0');
  timing.starting(1_000);
  nowMs += 1_000;
  timing.starting(0);
  expect(String(timing)).toBe('queue;dur=300, place;dur=2000');
  end();
  nowMs += 50_000;
  expect(String(timing)).toBe('queue;dur=300, place;dur=2000');
  const endSecond = timing.begin();
  nowMs += 100.4;
  endSecond();
  timing.starting(0);
  expect(String(timing)).toBe('queue;dur=400, place;dur=2000');
  const endThird = timing.begin();
  nowMs += 50;
  timing.starting(60_000);
  endThird();
  expect(String(timing)).toBe('queue;dur=400, place;dur=2050');
});
