import { describe, expect, it } from 'vitest';
import { flatOf, hasHeader, linesOf, withoutHeader } from './header-lines.ts';

const LINES = 'A: 1\r\nContent-Length:2\r\nb: \t voil\xe0 \t\r\ncontent-LENGTH: 3\r\nx-content-length: 4\r\nc:\r\n';

describe('header lines', () => {
  it('are a flat list and back', () => {
    const flat = ['A', '1', 'Content-Length', '2', 'b', 'voil\xe0', 'content-LENGTH', '3', 'x-content-length', '4', 'c', ''];
    expect(flatOf(LINES)).toEqual(flat);
    expect(flatOf(linesOf(flat))).toEqual(flat);
    expect([flatOf(''), linesOf([])]).toEqual([[], '']);
  });

  it('tell whether a header is among them, as often as they are asked', () => {
    for (let round = 0; round < 2; round += 1) {
      expect(['a', 'b', 'content-length', 'length', 'content', '1'].map((name) => hasHeader(LINES, name))).toEqual([
        true,
        true,
        true,
        false,
        false,
        false,
      ]);
    }
  });

  it('lose all of one name', () => {
    expect(withoutHeader(LINES, 'content-length')).toBe('A: 1\r\nb: \t voil\xe0 \t\r\nx-content-length: 4\r\nc:\r\n');
    expect(withoutHeader(LINES, 'd')).toBe(LINES);
  });
});
