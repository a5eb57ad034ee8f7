import { expect, test } from 'vitest';
import { resolveCatalogPath } from './resolve-catalog-path.ts';

test.each([
  [undefined, '/work/berth.yaml'],
  ['', '/work/berth.yaml'],
  ['other.yaml', '/work/other.yaml'],
  ['/etc/berth.yaml', '/etc/berth.yaml'],
])('BERTH_CONFIG=%s means %s', (value, expected) => {
  expect(resolveCatalogPath({ BERTH_CONFIG: value, cwd: '/work' })).toBe(expected);
});
