import { isOperationalError } from '@berth/core';
import { expect, test } from 'vitest';
import { KeyLimits } from './key-limits.ts';

function refusalOf(enter: () => void): { code: string; retryAfterMs: number | undefined; message: string } {
  try {
    enter();
  } catch (error) {
    if (isOperationalError(error)) return { code: error.code, retryAfterMs: error.retryAfterMs, message: error.message };
    throw error;
  }
  throw new Error('it was let in');
}

test('lets in as many at once as the key may have in flight, and another one when one has left', () => {
  const limits = new KeyLimits({ id: 'team-a', maxInFlight: 2, requestsPerMinute: null });
  limits.enter(() => 0);
  limits.enter(() => 0);
  expect(refusalOf(() => limits.enter(() => 0))).toMatchObject({ code: 'KEY_LIMIT_REACHED', retryAfterMs: 1000 });
  limits.leave();
  limits.enter(() => 0);
  expect(refusalOf(() => limits.enter(() => 0))).toMatchObject({ code: 'KEY_LIMIT_REACHED' });
});

test('a request that is refused for those in flight uses up no turn of the minute', () => {
  const limits = new KeyLimits({ id: 'team-a', maxInFlight: 1, requestsPerMinute: 2 });
  limits.enter(() => 0);
  for (let tries = 0; tries < 5; tries += 1) refusalOf(() => limits.enter(() => 1));
  limits.leave();
  limits.enter(() => 2);
  limits.leave();
  const refused = refusalOf(() => limits.enter(() => 1500.5));
  expect(refused).toMatchObject({ code: 'KEY_LIMIT_REACHED', retryAfterMs: 58_499.5 });
  expect(refused.message).toContain('59 s');
});
