import { expect, test } from 'vitest';
import { LineBlock } from './line-block.ts';

function written(append: (block: LineBlock) => void): string {
  const block = new LineBlock();
  block.beginLine();
  append(block);
  block.endLine();
  return block.take().toString();
}

/** Of all sizes, by turns whole and not. */
const NUMBERS = Array.from({ length: 4000 }, (_, at) => {
  const value = 1.0173 ** (at / 4) * (at % 4 === 3 ? -1 : 1);
  return at % 2 === 0 ? Math.round(value) : value;
});
const EDGES = [
  0,
  -0,
  0.04,
  0.05,
  0.95,
  9,
  9.949,
  9.95,
  10,
  99_999_999.94,
  99_999_999.95,
  999_999_999,
  1e9,
  2 ** 31,
  2 ** 53,
  5e-324,
  1e300,
  Number.NaN,
  Infinity,
];

test('numbers are written as JSON writes them', () => {
  for (const value of [...EDGES, ...NUMBERS]) expect(written((block) => block.appendNumber(value))).toBe(JSON.stringify(value));
});

test('tenths are written as JSON writes the number that is rounded to them', () => {
  for (const value of [...EDGES, ...NUMBERS]) {
    expect(written((block) => block.appendTenths(value))).toBe(JSON.stringify(Math.round(value * 10) / 10));
  }
});

test('a line that was not ended is in no block', () => {
  const block = new LineBlock();
  for (const [text, ends] of [
    ['one\n', true],
    ['half a li', false],
    ['zwölf 🚢\n', true],
    ['half', false],
  ] as const) {
    block.beginLine();
    block.appendText(text);
    if (ends) block.endLine();
  }
  expect(block.take().toString()).toBe('one\nzwölf 🚢\n');
  expect(block.take()).toHaveLength(0);
});

test('lines longer than a block are taken whole, and leave room for others', () => {
  const block = new LineBlock();
  const lines = [`${'x'.repeat(50_000)}\n`, `${'ö'.repeat(50_000)}\n`, `${'y'.repeat(300_000)}\n`];
  for (const line of lines) {
    block.beginLine();
    if (line.startsWith('x')) block.append(Buffer.from(line));
    else if (line.startsWith('y')) block.appendAscii(line);
    else block.appendText(line);
    block.endLine();
  }
  expect(block.hasRoom(1)).toBe(false);
  expect(block.take().toString()).toBe(lines.join(''));
  expect(block.hasRoom(1)).toBe(true);
});
