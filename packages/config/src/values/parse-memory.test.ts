import { isOperationalError } from '@berth/core';
import { expect, test } from 'vitest';
import { formatMemory, mebibytesDown, mebibytesUp, MEMORY_PATTERN, parseMemory } from './parse-memory.ts';

test.each([
  ['256MiB', 268_435_456],
  ['4GiB', 4_294_967_296],
  ['1.5GiB', 1_610_612_736],
  ['4GB', 4_000_000_000],
  ['64 KiB', 65_536],
  ['1kB', 1000],
  ['2TiB', 2_199_023_255_552],
  ['512B', 512],
  ['0MiB', 0],
  ['0.3B', 1],
])('reads %s as %i bytes', (text, bytes) => {
  expect(parseMemory(text)).toBe(bytes);
  expect(text).toMatch(new RegExp(MEMORY_PATTERN));
});

test.each([
  ['4', '"4" has no unit. Write 4MiB or 4GiB'],
  ['4G', '"4G" has an unknown unit "G". Write 4GiB (powers of 1024) or 4GB (powers of 1000)'],
  ['4gib', '"4gib" has an unknown unit "gib". Write 4GiB (powers of 1024) or 4GB (powers of 1000)'],
  ['4 apples', '"4 apples" has an unknown unit "apples". Use B, KiB, MiB, GiB or TiB'],
  ['-4GiB', '"-4GiB" is not an amount of memory'],
  ['GiB', '"GiB" is not an amount of memory'],
  ['1e3MiB', '"1e3MiB" is not an amount of memory'],
  ['', '"" is not an amount of memory'],
  ['99999999TiB', '"99999999TiB" is more memory than any machine has'],
])('refuses %j and says what to write', (text, message) => {
  const error = caught(() => parseMemory(text));
  expect(isOperationalError(error, 'INVALID_SETTINGS')).toBe(true);
  expect(String(error)).toContain(message);
});

test('rounds what must be kept free up and what may be used down', () => {
  expect([mebibytesUp(parseMemory('4GB')), mebibytesDown(parseMemory('4GB'))]).toEqual([3815, 3814]);
  expect([mebibytesUp(parseMemory('4GiB')), mebibytesDown(parseMemory('4GiB'))]).toEqual([4096, 4096]);
});

test('formats an amount so that it reads back', () => {
  for (const text of ['4GiB', '1.5GiB', '256MiB', '12B', '0B']) expect(formatMemory(parseMemory(text))).toBe(text);
});

function caught(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
