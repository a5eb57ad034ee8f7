import { describe, expect, it } from 'vitest';
import { ModelRename } from './rename-model.ts';

function rename(text: string, pieceBytes: number, from = 'tiny', to = 'gpt-4o-mini'): string {
  const renaming = new ModelRename(from, to);
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) out.push(renaming.feed(bytes.subarray(at, at + pieceBytes)));
  return Buffer.concat([...out, renaming.flush()]).toString();
}

const samples: readonly [string, string, string][] = [
  ['a body', '{"id":"a","model":"tiny","x":1}', '{"id":"a","model":"gpt-4o-mini","x":1}'],
  ['spaced JSON', '{"model" : "tiny"}', '{"model" : "gpt-4o-mini"}'],
  [
    'every frame of a stream',
    'data: {"model":"tiny"}\n\ndata: {"model":"tiny"}\n\n',
    'data: {"model":"gpt-4o-mini"}\n\ndata: {"model":"gpt-4o-mini"}\n\n',
  ],
  ['a nested answer', '{"response":{"model":"tiny"}}', '{"response":{"model":"gpt-4o-mini"}}'],
];

const untouched: readonly [string, string][] = [
  ['text inside a string', JSON.stringify({ content: '{"model":"tiny"}' })],
  ['another model', '{"model":"tiny-2"}'],
  ['a value that only says model', '{"object":"model","id":"tiny"}'],
  ['an end in the middle of the member', '{"a":1,"model":"ti'],
  ['a key that ends in the word', '{"a\\"model":"tiny"}'],
  ['a model that is no string', '{"model":null}'],
];

describe('ModelRename', () => {
  it.each(samples)('renames the model of %s, whatever the pieces', (_, text, wanted) => {
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes += 1)
      expect(rename(text, pieceBytes), `pieces of ${pieceBytes}`).toBe(wanted);
  });

  it.each(untouched)('leaves %s as it is, whatever the pieces', (_, text) => {
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes += 1)
      expect(rename(text, pieceBytes), `pieces of ${pieceBytes}`).toBe(text);
  });

  it('passes whole frames on at once', () => {
    const renaming = new ModelRename('tiny', 'alias');
    expect(renaming.feed(Buffer.from('data: {"model":"tiny","a":"b"}\n\n')).toString()).toBe('data: {"model":"alias","a":"b"}\n\n');
  });

  it('escapes names as JSON does', () => {
    expect(rename('{"model":"a\\"b"}', 3, 'a"b', 'ü"')).toBe('{"model":"ü\\""}');
  });
});
