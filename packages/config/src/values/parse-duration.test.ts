import { expect, test } from 'vitest';
import { DURATION_PATTERN, formatDuration, LONGEST_DURATION_MS, parseDuration } from './parse-duration.ts';

test.each([
  ['4m30s', 270_000],
  ['15m', 900_000],
  ['10s', 10_000],
  ['500ms', 500],
  ['1h30m', 5_400_000],
  ['1d', 86_400_000],
  ['4.1s', 4100],
  ['1m500ms', 60_500],
  ['0s', 0],
])('reads %s as %i ms', (text, durationMs) => {
  expect(parseDuration(text)).toBe(durationMs);
  expect(text).toMatch(new RegExp(DURATION_PATTERN));
});

test.each([
  ['15', '"15" has no unit. Write 15s or 15m'],
  ['15min', '"15min" has an unknown unit "min". Use d, h, m, s or ms'],
  ['30s4m', '"30s4m" names its units in the wrong order or twice'],
  ['1m1m', '"1m1m" names its units in the wrong order or twice'],
  ['4m 30s', '"4m 30s" is not a duration'],
  ['-5s', '"-5s" is not a duration'],
  ['0.5ms', '"0.5ms" is not a whole number of milliseconds'],
  ['25d', '"25d" is too long. The longest duration is 24d'],
  ['', '"" is not a duration'],
  ['never', '"never" is not a duration'],
])('refuses %j and says what to write', (text, message) => {
  expect(() => parseDuration(text)).toThrow(message);
});

test('accepts nothing that a timer of Node would fire at once', () => {
  expect(parseDuration('24d')).toBeLessThanOrEqual(LONGEST_DURATION_MS);
});

test('formats a duration so that it reads back', () => {
  for (const text of ['4m30s', '1d2h', '500ms', '1s1ms', '0s']) expect(formatDuration(parseDuration(text))).toBe(text);
});
