import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerParser } from './answer-parser.ts';
import { everyCut, pieces } from '../testing/cut-bytes.ts';

const INFORMATIONAL = ['', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 102 \r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'];

const answer = fc.record({
  before: fc.constantFrom(...INFORMATIONAL),
  status: fc.constantFrom(200, 404, 503),
  framing: fc.constantFrom('length', 'chunked', 'until-close'),
  data: fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 4 }),
  cuts: fc.array(fc.nat(300), { maxLength: 8 }),
});

describe('AnswerParser', () => {
  it('reads the same answer, wherever its bytes are cut', () => {
    fc.assert(
      fc.property(answer, ({ before, status, framing, data, cuts }) => {
        const body = Buffer.concat(data);
        const wire = Buffer.concat([Buffer.from(before), ...onWire(status, framing, data)]);
        for (const cut of [cuts, ...everyCut(wire)]) {
          const parser = new AnswerParser();
          const seen = read(parser);
          for (const piece of pieces(wire, cut)) feed(parser, piece);
          if (framing === 'until-close') parser.finish();
          expect([seen.ends, seen.heads, parser.excess]).toEqual([1, [status], false]);
          expect(seen.body).toEqual(body);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads one answer after another, each when it is awaited', () => {
    const parser = new AnswerParser();
    for (const text of ['{}', '[]']) {
      const seen = read(parser);
      expect(parser.begun).toBe(false);
      feed(parser, Buffer.concat(onWire(200, 'length', [Buffer.from(text)])));
      expect([seen.body.toString(), seen.ends, parser.begun, parser.excess]).toEqual([text, 1, true, false]);
    }
  });

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'],
    ['no body', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['no body, whatever it says', 'HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n'],
  ])('knows of bytes behind an answer with %s before it tells its end', (_, wire) => {
    const parser = new AnswerParser();
    const knew: boolean[] = [];
    parser.begin({ onHead: () => undefined, onPiece: (_piece, last) => void (last && knew.push(parser.excess)) });
    feed(parser, Buffer.from(`${wire}HTTP/1.1 200 OK\r\n`));
    expect(knew).toEqual([true]);
  });

  it('takes bytes that nobody awaits for excess', () => {
    const parser = new AnswerParser();
    feed(parser, Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
    expect([parser.excess, parser.begun]).toEqual([true, false]);
  });

  it('hands out copies, since its bytes are read into memory that is used again', () => {
    for (const framing of ['length', 'chunked', 'until-close'] as const) {
      const parser = new AnswerParser();
      const seen = read(parser);
      const wire = Buffer.concat(onWire(200, framing, [Buffer.from('{"a":'), Buffer.from('1}')]));
      parser.feed(wire, wire.length);
      wire.fill('x');
      expect(seen.body.toString()).toBe('{"a":1}');
    }
  });

  it('takes the end of the connection for the end of an answer only where nothing else could tell it', () => {
    for (const [wire, whole] of [
      ['', false],
      ['HTTP/1.1 200 OK\r\n', false],
      ['HTTP/1.1 200 OK\r\n\r\n', true],
      ['HTTP/1.1 200 OK\r\n\r\n{', true],
      ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{', false],
      ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n', false],
    ] as const) {
      const parser = new AnswerParser();
      const seen = read(parser);
      feed(parser, Buffer.from(wire));
      parser.finish();
      expect(seen.ends).toBe(whole ? 1 : 0);
    }
  });

  it.each([
    ['another protocol, at its first byte', '+'],
    ['an empty line in front', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a head without an end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(65 * 1024)}`],
    ['informational answers without an end', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(3000)],
  ])('refuses %s', (_, wire) => {
    for (const cut of [[], [wire.length >> 1]]) {
      const parser = new AnswerParser();
      const seen = read(parser);
      expect(() => {
        for (const piece of pieces(Buffer.from(wire), cut)) feed(parser, piece);
      }).toThrow(expect.objectContaining({ fault: 'malformed' }));
      expect(seen.ends).toBe(0);
    }
  });

  it('hands out what stands before a fault in the body', () => {
    const parser = new AnswerParser();
    const seen = read(parser);
    const wire = Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n');
    expect(() => feed(parser, wire)).toThrow(expect.objectContaining({ fault: 'malformed' }));
    expect([seen.body.toString(), seen.ends]).toEqual(['{}', 0]);
  });
});

function onWire(status: number, framing: 'length' | 'chunked' | 'until-close', data: readonly Uint8Array[]): Uint8Array[] {
  const line = `HTTP/1.1 ${status} X\r\nx-a: b\r\n`;
  const length = data.reduce((sum, piece) => sum + piece.length, 0);
  if (framing === 'length') return [Buffer.from(`${line}content-length: ${length}\r\n\r\n`), ...data];
  if (framing === 'until-close') return [Buffer.from(`${line}\r\n`), ...data];
  const chunks = data.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  return [Buffer.from(`${line}transfer-encoding: chunked\r\n\r\n`), ...chunks, Buffer.from('0\r\n\r\n')];
}

/** Hands over bytes in memory that still holds bytes of an earlier read behind them, which would end a head, a chunk or a body. */
function feed(parser: AnswerParser, bytes: Buffer): void {
  parser.feed(Buffer.concat([bytes, Buffer.from('\r\n\r\n0\r\n\r\n')]), bytes.length);
}

/** Awaits an answer, and what is told of it. */
function read(parser: AnswerParser) {
  const seen = { heads: [] as number[], body: Buffer.alloc(0), ends: 0 };
  parser.begin({
    onHead: ({ status }) => void seen.heads.push(status),
    onPiece: (piece, last) => {
      if (piece !== null) seen.body = Buffer.concat([seen.body, piece]);
      if (last) seen.ends += 1;
    },
  });
  return seen;
}
