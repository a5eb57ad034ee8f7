import { describe, expect, it } from 'vitest';
import { JsonFinder } from './json-finder.ts';

const INVALID = expect.objectContaining({ code: 'INVALID_REQUEST' });

function byWhole(body: string | Buffer): unknown {
  return new JsonFinder().askedByWhole(typeof body === 'string' ? Buffer.from(body) : body);
}

function byPieces(body: string | Buffer): unknown {
  const finder = new JsonFinder();
  finder.feed(typeof body === 'string' ? Buffer.from(body) : body);
  return finder.asked();
}

describe('JsonFinder', () => {
  it.each([
    ['escaped keys and values', '{"mod\\u0065l":"t\\u0069ny"}'],
    ['the last of repeated members', '{"model":"other","model":1,"model":"tiny"}'],
    ['a byte order mark', '\ufeff{"model":"tiny"}'],
    ["Python's numbers", '{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN \\" Infinity","model":"tiny"}'],
    ['huge numbers', `{"a":1${'0'.repeat(4000)},"b":1e99999,"model":"tiny"}`],
    ['lone surrogates', '{"a":"\\ud800","model":"tiny"}'],
    ['bytes that are no UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff, 0xc0, 0x80), Buffer.from('","model":"tiny"}')])],
    ['deep nesting', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)},"model":"tiny"}`],
    ['members of its prototype', '{"__proto__":{"model":"other"},"constructor":1,"model":"tiny"}'],
  ])('takes %s alike whether the body is parsed or scanned', (_, body) => {
    expect(byWhole(body)).toEqual({ model: 'tiny', stream: false });
    expect(byPieces(body)).toEqual({ model: 'tiny', stream: false });
  });

  it.each([
    ['nothing', ''],
    ['no object', '[{"model":"tiny"}]'],
    ['no model', '{"models":"tiny"}'],
    ['a model of the prototype only', '{"__proto__":{"model":"tiny"}}'],
    ['null for a model', '{"model":null}'],
    ['no name', '{"model":""}'],
    ['a number for a model', '{"model":1}'],
    ['a list for a model', '{"model":["tiny"]}'],
    ['a last model that is none', '{"model":"tiny","model":{"a":"tiny"}}'],
    ['UTF-16', Buffer.from('{"model":"tiny"}', 'utf16le')],
    ['only opening brackets', '['.repeat(64 * 1024)],
  ])('refuses %s alike whether the body is parsed or scanned', (_, body) => {
    expect(() => byWhole(body)).toThrow(INVALID);
    expect(() => byPieces(body)).toThrow(INVALID);
  });

  it.each([
    ['text behind the end', '{"model":"tiny"}x'],
    ['a text that is not closed', `{"model":"tiny","a":"${'\\"'.repeat(30_000)}`],
    ['half of a member', '{"model":"tiny","a":'],
    ['other words for numbers', '{"model":"tiny","a":nan}'],
    ['a comment', '{"model":"tiny"/**/}'],
    ['only opening objects', '{"a":'.repeat(13_000)],
  ])('refuses a small body with %s, so that no model is started for it', (_, body) => {
    expect(() => byWhole(body)).toThrow(INVALID);
  });

  it('tells where a body goes wrong and not what stands there', () => {
    expect(() => byWhole('{"model":"tiny","prompt":"secret words" oops}')).toThrow(
      /^(?!.*(?:secret|oops))The body could not be parsed as JSON/u,
    );
  });
});
