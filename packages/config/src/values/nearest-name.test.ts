import { expect, test } from 'vitest';
import { nearestName } from './nearest-name.ts';

const KNOWN = ['kvCache', 'idleTimeout', 'loadTimeout', 'env', 'envFrom', 'args', 'gpus'];

test.each([
  ['kvCahe', 'kvCache'],
  ['kvcache', 'kvCache'],
  ['kvCahce', 'kvCache'],
  ['idletimeout', 'idleTimeout'],
  ['idleTimout', 'idleTimeout'],
  ['arg', 'args'],
  ['gpu', 'gpus'],
  ['evn', 'env'],
])('%s most likely means %s', (name, expected) => {
  expect(nearestName(name, KNOWN)).toBe(expected);
});

test.each(['temperature', 'x', 'model', ''])('%j is near to nothing', (name) => {
  expect(nearestName(name, KNOWN)).toBeUndefined();
});
