import { describe, expect, it } from 'vitest';
import { TopLevelScanner } from './top-level-scanner.ts';

function scan(text: string, pieceBytes: number): TopLevelScanner {
  const scanner = new TopLevelScanner(['model', 'stream']);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) scanner.feed(bytes.subarray(at, at + pieceBytes));
  return scanner;
}

const samples: readonly [string, string][] = [
  ['in order', '{"model":"tiny","stream":true,"messages":[]}'],
  ['behind other members', '{"messages":[{"role":"user","content":"a"}], "n": 1e3,\n "model" : "tiny" , "stream":true }'],
  ['behind nested members of the same name', '{"metadata":{"model":"other","stream":false},"model":"tiny","stream":true}'],
  ['behind text that looks like it', JSON.stringify({ prompt: '"model":"other",\\"stream\\":false}{[\\', model: 'tiny', stream: true })],
  ['behind text that ends in backslashes', '{"a":"\\\\","b":"\\\\\\"","model":"tiny","stream":true}'],
  ['behind another value of the same member', '{"model":"other","model":"tiny","stream":false,"stream":true}'],
  ['with an escaped key', '{"mod\\u0065l":"tiny","stream":true}'],
  ['with an escaped value', '{"model":"t\\u0069ny","stream":true}'],
  ['behind keys that are longer than a name', `{"model":"tiny","${'k'.repeat(5000)}":"other","stream":true,"${'k'.repeat(5000)}":false}`],
  ['behind a byte order mark', '\ufeff{"model":"tiny","stream":true}'],
  ['behind numbers and literals', '{"a":null,"b":false,"c":-1.5,"d":[1,[2]],"model":"tiny","stream":true}'],
];

describe('TopLevelScanner', () => {
  it.each(samples)('finds members %s, whatever the pieces', (_, text) => {
    for (const pieceBytes of [1, 2, 3, 7, text.length]) {
      const { found, notAnObject } = scan(text, pieceBytes);
      expect(Object.fromEntries(found), `pieces of ${pieceBytes}`).toEqual({ model: 'tiny', stream: true });
      expect(notAnObject).toBe(false);
    }
  });

  it.each(samples)('agrees with JSON.parse on members %s', (_, text) => {
    const parsed: unknown = JSON.parse(text.replace('\ufeff', ''));
    const { found } = scan(text, text.length);
    expect(parsed).toMatchObject(Object.fromEntries(found));
  });

  it('reads names that are not ASCII', () => {
    expect(scan('{"model":"größe-模型"}', 1).found.get('model')).toBe('größe-模型');
  });

  it('finds nothing where the member is missing', () => {
    expect(scan('{"a":{"model":"b"},"c":"model"}', 5).found.size).toBe(0);
  });

  it.each(['{"a":"b"}', '["tiny"]', '17e999x', `"${'x'.repeat(5000)}"`, 'NaN', '1'.repeat(5000)])(
    'lets a later member win that is no scalar: %s',
    (value) => {
      for (const pieceBytes of [1, 5, 10_000]) {
        const { found } = scan(`{"model":"tiny","model":${value},"a":"model"}`, pieceBytes);
        expect(found.has('model')).toBe(true);
        expect(found.get('model')).toBeUndefined();
      }
    },
  );

  it.each([
    ['UTF-16', Buffer.from('{"model":"tiny"}', 'utf16le')],
    ['UTF-16 with its mark', Buffer.from('\ufeff{"model":"tiny"}', 'utf16le')],
    ['half a byte order mark', Buffer.from([0xef, 0xbb, 0x7b, 0x7d])],
    ['bytes of 0', Buffer.from('{\0"model":"tiny"}')],
  ])('takes %s for no object, as two readers could differ on it', (_, bytes) => {
    const scanner = new TopLevelScanner(['model']);
    scanner.feed(bytes);
    expect(scanner.notAnObject).toBe(true);
  });

  it.each(['[1]', '"text"', 'nope', '<xml>'])('says that %s is no object', (text) => {
    expect(scan(text, text.length).notAnObject).toBe(true);
  });
});
