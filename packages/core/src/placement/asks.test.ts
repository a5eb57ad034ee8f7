import { expect, test } from 'vitest';
import { asksOf } from './asks.ts';

test.each([
  ['nobody', {}, []],
  ['one of each, the weaker the older', { use: 1, place: 2, displace: 3 }, ['displace 3', 'place 2', 'use 1']],
  ['one of each, the stronger the older', { use: 3, place: 2, displace: 1 }, ['displace 1']],
  ['one of each at once', { use: 1, place: 1, displace: 1 }, ['displace 1']],
  ['a weaker one that came between', { use: 2, place: 3, displace: 1 }, ['displace 1']],
  ['an older one that may place', { place: 1, displace: 2 }, ['displace 2', 'place 1']],
  ['users alone', { use: 5 }, ['use 5']],
] as const)('of %s', (_, arrivals, expected) => {
  const entries = new Map(Object.entries(arrivals)) as Parameters<typeof asksOf>[0];
  expect(asksOf(entries).map(({ right, arrivedAtMs }) => `${right} ${arrivedAtMs}`)).toEqual(expected);
});
