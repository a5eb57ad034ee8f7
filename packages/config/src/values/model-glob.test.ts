import { expect, test } from 'vitest';
import { matchesGlob } from './model-glob.ts';

test.each([
  ['*', 'any/name:1', true],
  ['llama', 'llama', true],
  ['llama', 'llama-3', false],
  ['llama', 'Llama', false],
  ['llama-*', 'llama-3.1/8b', true],
  ['llama-*', 'my-llama-3', false],
  ['*-8b', 'llama-8b', true],
  ['*-8b', 'llama-8b-long', false],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['ab*ba', 'aba', false],
  ['a*b*b', 'ab', false],
  ['**', 'x', true],
  ['a.c', 'abc', false],
])('%s for %s: %s', (glob, name, expected) => {
  expect(matchesGlob(glob, name)).toBe(expected);
});

test('a glob of many stars takes no time on a name that it does not stand for', () => {
  expect(matchesGlob(`${'*a'.repeat(100)}b`, 'a'.repeat(200))).toBe(false);
});
