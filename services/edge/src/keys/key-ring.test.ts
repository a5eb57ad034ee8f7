import { createHash } from 'node:crypto';
import { Secret } from '@berth/config';
import { expect, test } from 'vitest';
import { KeyRing } from './key-ring.ts';

const sha256 = (bytes: string): Secret => new Secret(createHash('sha256').update(bytes, 'utf8').digest('hex'));

test('finds the entry of exactly the key that was presented', () => {
  const ring = new KeyRing(['one', 'two', 'three'], sha256);
  expect(['one', 'two', 'three', 'four', 'tw', 'two ', 'TWO', ''].map((key) => ring.find(key))).toEqual([
    'one',
    'two',
    'three',
    null,
    null,
    null,
    null,
    null,
  ]);
});

test('hashes the bytes that were sent, also those that are no ASCII', () => {
  const ring = new KeyRing(['schlüssel-密'], sha256);
  // Headers come from the wire with one character per byte.
  expect(ring.find(Buffer.from('schlüssel-密', 'utf8').toString('latin1'))).toBe('schlüssel-密');
});

test('an empty ring has no key', () => {
  expect(new KeyRing<string>([], sha256).find('x')).toBeNull();
});
