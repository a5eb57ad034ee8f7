import { expect, test } from 'vitest';
import { resolveCatalogPath } from './resolve-catalog-path.ts';

test.each([
  [undefined, '/srv/berth.yaml'],
  ['', '/srv/berth.yaml'],
  ['other.yaml', '/srv/other.yaml'],
  ['/etc/berth.yaml', '/etc/berth.yaml'],
])('BERTH_CONFIG=%s means %s', (value, expected) => {
  expect(resolveCatalogPath({ BERTH_CONFIG: value, cwd: '/srv' })).toBe(expected);
});
