import { asId, OperationalError } from '@berth/core';
import type { ModelName } from '@berth/core';
import { expect, test } from 'vitest';
import { discreetFailure } from './discreet-failure.ts';
import { OPEN_ACCESS } from './request-access.ts';

const failure = new OperationalError({
  code: 'DOES_NOT_FIT',
  message: 'mine needs 9 MiB, but pinned models (a, org/b.1) hold 5 MiB. Unpin one of a, org/b.1: or org/b.1.',
  retryable: false,
  details: { reasons: ['a', 'org/b.1', 'mine'].map((model) => ({ code: 'victim-pinned', model })) },
});

test('names no model that the key may not use', () => {
  const access = { ...OPEN_ACCESS, mayUse: (model: ModelName) => model === asId<ModelName>('mine') };
  const seen = discreetFailure(failure, access);
  expect(seen).toMatchObject({
    code: 'DOES_NOT_FIT',
    message:
      'mine needs 9 MiB, but pinned models (another model, another model) hold 5 MiB. Unpin one of another model, another model: or another model.',
  });
  expect(failure.message).toContain('org/b.1');
});

test.each([OPEN_ACCESS, null])('is the same for whoever may use all of them', (access) => {
  expect(discreetFailure(failure, access)).toBe(failure);
});
