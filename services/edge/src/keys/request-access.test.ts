import { asId, isOperationalError } from '@berth/core';
import type { ModelName } from '@berth/core';
import { expect, test } from 'vitest';
import { OPEN_ACCESS, requireRightToPlace } from './request-access.ts';

test.each([
  ['use', 'KEY_MAY_NOT_PLACE'],
  ['place', null],
  ['displace', null],
] as const)('the right %s to place is refused with %s', (right, code) => {
  let refusal: unknown = null;
  try {
    requireRightToPlace({ ...OPEN_ACCESS, right }, asId<ModelName>('tiny'));
  } catch (error) {
    refusal = error;
  }
  expect(isOperationalError(refusal) ? refusal.code : refusal).toBe(code);
});
