import { describe, expect, it } from 'vitest';
import { hasFlag, listFlags, parseHumanInteger, readFlag } from './flag-arguments.ts';

describe('readFlag', () => {
  const args = ['--max-num-seqs', '4', '--dtype=float16', '--enforce-eager', '-tp', '2', '--seed', '-1', '--max-num-seqs=8'];

  it.each([
    ['dtype', 'float16'],
    ['tensor-parallel-size', '2'],
    ['seed', '-1'],
    ['enforce-eager', ''],
    ['port', null],
  ])('reads %s as %j', (name, value) => {
    expect(readFlag(args, name)).toBe(value);
  });

  it('takes the last of several', () => {
    expect(readFlag(args, 'max-num-seqs')).toBe('8');
  });

  it('keeps an equals sign inside a value', () => {
    expect(readFlag(['--override-generation-config={"a":"b=c"}'], 'override-generation-config')).toBe('{"a":"b=c"}');
  });

  it('does not take a value for a flag', () => {
    expect(hasFlag(['--chat-template', 'port'], 'port')).toBe(false);
  });

  it('keeps all values of a list', () => {
    expect(listFlags(['x', '--middleware', 'a', 'b', '--seed', '1'])).toEqual([
      { name: 'middleware', values: ['a', 'b'], at: 1 },
      { name: 'seed', values: ['1'], at: 4 },
    ]);
  });
});

describe('parseHumanInteger', () => {
  it.each([
    ['8192', 8192],
    ['4k', 4000],
    ['4K', 4096],
    ['1G', 1_073_741_824],
    ['64M', 67_108_864],
    ['25.6k', 25_600],
    ['25.6K', null],
    ['1.5', null],
    ['auto', null],
    ['-1', null],
    ['', null],
  ])('reads %j as %j', (text, value) => {
    expect(parseHumanInteger(text)).toBe(value);
  });
});
