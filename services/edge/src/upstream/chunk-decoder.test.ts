import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkDecoder } from './chunk-decoder.ts';
import { everyCut, pieces } from '../testing/cut-bytes.ts';

/** One chunk as an engine may write it. */
const chunk = fc.record({
  data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  zeros: fc.constantFrom('', '0', '000'),
  upper: fc.boolean(),
  extension: fc.constantFrom('', ';x', ';x=y', ' ; x="a b"', '\t'),
});

const body = fc.record({
  chunks: fc.array(chunk, { maxLength: 6 }),
  end: fc.constantFrom('0', '000', '0;last=1'),
  trailers: fc.constantFrom('', 'x-a: 1\r\n', 'x-a: 1\r\nx-b:\r\n'),
  cuts: fc.array(fc.nat(400), { maxLength: 8 }),
});

describe('ChunkDecoder', () => {
  it('finds the same bytes and the same end, wherever the body is cut', () => {
    fc.assert(
      fc.property(body, ({ chunks, end, trailers, cuts }) => {
        const wire = Buffer.concat([
          ...chunks.flatMap(({ data, zeros, upper, extension }) => {
            const hex = data.length.toString(16);
            return [Buffer.from(`${zeros}${upper ? hex.toUpperCase() : hex}${extension}\r\n`), data, Buffer.from('\r\n')];
          }),
          Buffer.from(`${end}\r\n${trailers}\r\n`),
        ]);
        const content = Buffer.concat(chunks.map(({ data }) => data));
        for (const cut of [cuts, ...everyCut(wire)]) {
          const seen = decode(wire, cut);
          expect(seen).toEqual({ data: content, done: true, fault: null, left: 0 });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('takes nothing of what follows the body', () => {
    const wire = Buffer.from('2\r\n{}\r\n0\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\n');
    const decoder = new ChunkDecoder();
    expect(decoder.feed(wire, 0, wire.length)?.toString()).toBe('{}');
    expect([decoder.done, wire.toString('latin1', decoder.consumed)]).toEqual([true, 'HTTP/1.1 200 OK\r\n']);
  });

  it('joins the chunks that come together, from where it is told to begin, and keeps nothing of the piece', () => {
    const wire = Buffer.from('head1\r\na\r\n3\r\nbcd\r\n2\r\ne');
    const data = new ChunkDecoder().feed(wire, 4, wire.length);
    wire.fill('x');
    expect(data?.toString()).toBe('abcde');
  });

  it('takes chunks that come one at a time, and keeps nothing of the piece', () => {
    const decoder = new ChunkDecoder();
    const found = ['2\r\n{}\r\n', '0A\r\ndata: {}\n\n\r\n', '2\r\n\r\n\r\n', '1;x=y\r\na\r\n', '0\r\n\r\n'].map((text) => {
      const wire = Buffer.from(`HTTP${text}`);
      const data = decoder.feed(wire, 4, wire.length);
      expect([decoder.consumed, decoder.fault]).toEqual([wire.length, null]);
      wire.fill('x');
      return data?.toString();
    });
    expect(found).toEqual(['{}', 'data: {}\n\n', '\r\n', 'a', undefined]);
    expect(decoder.done).toBe(true);
  });

  it('is not done before its trailers are', () => {
    const wire = Buffer.from('0\r\nx: y\r\n\r\n');
    for (let end = 0; end < wire.length; end += 1) expect(decode(wire.subarray(0, end), []).done).toBe(false);
    expect(decode(wire, []).done).toBe(true);
  });

  it.each([
    ['no size', '\r\n'],
    ['a size that is no number', 'zz\r\n'],
    ['a negative size', '-2\r\n'],
    ['a size with a prefix', '0x2\r\n{}\r\n'],
    ['a size in front of which a space stands', ' 2\r\n{}\r\n'],
    ['a size beyond all sizes', `${'f'.repeat(12)}\r\n`],
    ['a bare line feed behind its size', '2\n{}\r\n'],
    ['a bare line feed behind its extension', '2;x\n{}\r\n'],
    ['a bare carriage return behind its size', '2\r{}\r\n'],
    ['more data than its size', '2\r\n{}}\r\n'],
    ['a bare line feed behind its data', '2\r\n{}\n0\r\n\r\n'],
    ['a bare carriage return behind its data', '2\r\n{}\r0\r\n\r\n'],
    ['an endless extension', `2;${'x'.repeat(5000)}`],
    ['a bare line feed among the trailers', '0\r\nx: y\n\r\n'],
    ['endless trailers', `0\r\n${`x: ${'y'.repeat(1000)}\r\n`.repeat(70)}`],
  ])('refuses a chunk with %s, wherever it is cut', (_, wire) => {
    const before = Buffer.from('3\r\nabc\r\n');
    const bytes = Buffer.concat([before, Buffer.from(wire, 'latin1')]);
    const cuts = bytes.length > 1000 ? [[], [bytes.length >> 1]] : everyCut(bytes);
    for (const cut of cuts) {
      const seen = decode(bytes, cut);
      expect(seen.fault).toMatchObject({ fault: 'malformed' });
      expect(seen.data.toString()).toMatch(/^abc/u);
      expect(seen.done).toBe(false);
    }
  });
});

function decode(wire: Buffer, cuts: readonly number[]) {
  const decoder = new ChunkDecoder();
  const data: Buffer[] = [];
  let left = wire.length;
  for (const piece of pieces(wire, cuts)) {
    if (decoder.done || decoder.fault !== null) break;
    // Behind the piece stand bytes of an earlier read, which would end a chunk.
    const found = decoder.feed(Buffer.concat([piece, Buffer.from('\r\n0\r\n\r\n')]), 0, piece.length);
    if (found !== null) data.push(found);
    left -= decoder.consumed;
  }
  return { data: Buffer.concat(data), done: decoder.done, fault: decoder.fault, left };
}
