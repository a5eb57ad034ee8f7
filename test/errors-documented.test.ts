import { readFileSync } from 'node:fs';
import { ERROR_CODES } from '@berth/core';
import { expect, test } from 'vitest';

test('docs/errors.md explains every error code', () => {
  const documented = new Set(
    [...readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code),
  );
  expect(ERROR_CODES.filter((code) => !documented.has(code))).toEqual([]);
});
