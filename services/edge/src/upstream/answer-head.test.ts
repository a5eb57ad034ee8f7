import { describe, expect, it } from 'vitest';
import { parseAnswerHead } from './answer-head.ts';

const NONE = { kind: 'length', bytes: 0 };

/** Parses a head that has other bytes of its connection in front of it and behind. */
function parse(...lines: readonly string[]) {
  const before = '{}';
  const head = lines.join('\r\n');
  const bytes = Buffer.from(`${before}${head}\r\n\r\n\r\nx: y`, 'latin1');
  return parseAnswerHead(bytes, before.length, before.length + head.length);
}

describe('parseAnswerHead', () => {
  it('reads status, reason and headers as the engine wrote them', () => {
    expect(parse('HTTP/1.1 200 All right', 'X-A: 1', 'x-a:2', 'Content-Length: 3')).toEqual({
      status: 200,
      statusText: 'All right',
      headers: 'X-A: 1\r\nx-a:2\r\nContent-Length: 3\r\n',
      contentType: '',
      encoded: false,
      dated: false,
      framing: { kind: 'length', bytes: 3 },
      keepAliveMs: null,
    });
    expect(parse('HTTP/1.1 200 OK').statusText).toBe('OK');
    expect(parse('HTTP/1.1 200 OKAY').statusText).toBe('OKAY');
    expect(parse('HTTP/1.1 200').statusText).toBe('');
    expect(parse('HTTP/1.1 200 ').statusText).toBe('');
  });

  it('takes spaces and tabs off a value that it reads, and no byte of a letter', () => {
    // The last byte of an `à` in UTF-8 is a space to JavaScript.
    expect(parse('HTTP/1.1 200 OK', 'content-type: \t a\tb \t').contentType).toBe('a\tb');
    expect(parse('HTTP/1.1 200 OK', 'content-type:x\xa0').contentType).toBe('x\xa0');
    expect(parse('HTTP/1.1 200 OK', 'y: voil\xc3\xa0', 'z:').headers).toBe('y: voil\xc3\xa0\r\nz:\r\n');
  });

  it('strips the headers of its connection and keeps all others, repeated ones too', () => {
    const ofConnection = [
      'TE: trailers',
      'Trailer: x',
      'UPGRADE: h2c',
      'Proxy-Connection: close',
      'Proxy-Authenticate: Basic',
      'Keep-Alive: max=1',
    ];
    const others = ['date: today', 'set-cookie: a', 'set-cookie: b', 'tee: 1', 'trailed: 1', 'content-lengths: 1', 'x-keep-alive: 1'];
    const { headers } = parse(
      'HTTP/1.1 200 OK',
      ...ofConnection,
      ...others,
      'Connection: keep-alive',
      'proxy-authorization: x',
      'Content-Length: 2',
    );
    expect(headers).toBe([...others, 'Content-Length: 2', ''].join('\r\n'));
  });

  it('strips what Connection names', () => {
    const named = ['X-Hop: 1', 'x-hop: 2', 'X-Other: 3', 'Content-Type: text/plain', 'content-encoding: gzip'];
    const head = parse(
      'HTTP/1.1 200 OK',
      'Connection: X-HOP ,content-type',
      'connection: x-other, Content-Encoding',
      ...named,
      'x-stay: 4',
    );
    expect(head).toMatchObject({ headers: 'x-stay: 4\r\n', contentType: '', encoded: false });
  });

  it('keeps the length that Connection names: it is the body that has it', () => {
    const head = parse('HTTP/1.1 200 OK', 'Connection: keep-alive, Content-Length, x', 'Content-Length: 2', 'x: y');
    expect(head).toMatchObject({ headers: 'Content-Length: 2\r\n', framing: { kind: 'length', bytes: 2 } });
  });

  it.each(['Date: today', 'date:', 'dated: x'])('sees whether an answer says when it was made: %j', (header) => {
    expect(parse('HTTP/1.1 200 OK', header).dated).toBe(!header.startsWith('dated'));
  });

  it.each([
    ['content-type: application/json', 'application/json'],
    ['Content-Type:\tText/Event-Stream; Charset=UTF-8 ', 'text/event-stream; charset=utf-8'],
    ['content-typed: text/plain', ''],
  ])('knows what is in an answer with %j', (header, contentType) => {
    expect(parse('HTTP/1.1 200 OK', header).contentType).toBe(contentType);
  });

  it.each([
    ['content-encoding: gzip', true],
    ['Content-Encoding: Identity', false],
    ['transfer-encoding: chunked', false],
    ['content-encodings: gzip', false],
  ])('sees from %j whether a body is compressed: %j', (header, encoded) => {
    expect(parse('HTTP/1.1 200 OK', header).encoded).toBe(encoded);
  });

  it.each([
    ['a length', ['content-length: 12'], { kind: 'length', bytes: 12 }],
    ['a length of 0', ['content-length: 0'], NONE],
    ['the longest length', [`content-length: ${'9'.repeat(15)}`], { kind: 'length', bytes: 999_999_999_999_999 }],
    ['chunks', ['Transfer-Encoding: Chunked'], { kind: 'chunked' }],
    ['neither', ['content-type: text/plain'], { kind: 'until-close' }],
  ])('knows where a body ends that has %s', (_, headers, framing) => {
    expect(parse('HTTP/1.1 200 OK', ...headers).framing).toEqual(framing);
  });

  it.each(['103', '204', '304'])('knows that an answer %s ends with its head, whatever its headers say', (status) => {
    for (const header of ['content-length: 5', 'transfer-encoding: chunked', 'x: y']) {
      expect(parse(`HTTP/1.1 ${status} X`, header).framing).toEqual(NONE);
    }
  });

  it.each([
    ['HTTP/1.1', [], null],
    ['HTTP/1.1', ['connection: close'], 0],
    ['HTTP/1.1', ['Connection: x-a, Close'], 0],
    ['HTTP/1.1', ['connection: x-a', 'connection: close'], 0],
    ['HTTP/1.1', ['connection: closed'], null],
    ['HTTP/1.1', ['Keep-Alive: timeout=5'], 5000],
    ['HTTP/1.1', ['keep-alive: max=100, Timeout=75'], 75_000],
    ['HTTP/1.1', ['keep-alive: timeout=soon'], null],
    ['HTTP/1.0', [], 0],
    ['HTTP/1.0', ['connection: keep-alive', 'keep-alive: timeout=5'], 5000],
  ])('tells how long a connection of %s with %j may idle', (version, headers, keepAliveMs) => {
    expect(parse(`${version} 200 OK`, 'content-length: 2', ...headers).keepAliveMs).toBe(keepAliveMs);
  });

  it('keeps no connection whose end is the end of the body', () => {
    expect(parse('HTTP/1.1 200 OK', 'keep-alive: timeout=5').keepAliveMs).toBe(0);
  });

  it.each([
    ['another version', ['HTTP/2 200 OK']],
    ['a status of two digits', ['HTTP/1.1 20 OK']],
    ['a status of no class', ['HTTP/1.1 600 X']],
    ['no status', ['HTTP/1.1']],
    ['a lone line feed', ['HTTP/1.1 200 OK\nx: y']],
    ['a lone line feed in front of a value', ['HTTP/1.1 200 OK', 'content-length:\n5']],
    ['a carriage return behind a value', ['HTTP/1.1 200 OK', 'x: y\r']],
    ['a zero byte', ['HTTP/1.1 200 OK', 'x: a\0b']],
    ['bytes behind the status that no reason has', ['HTTP/1.1 200 OK\x01']],
    ['a letter beyond ASCII in a name', ['HTTP/1.1 200 OK', 'caf\xe9: y']],
    ['a header without a colon', ['HTTP/1.1 200 OK', 'x']],
    ['a header without a colon in front of one', ['HTTP/1.1 200 OK', 'x', 'y: z']],
    ['a header without a name', ['HTTP/1.1 200 OK', ': y']],
    ['a space before the colon', ['HTTP/1.1 200 OK', 'content-length : 5']],
    ['a folded line', ['HTTP/1.1 200 OK', 'x: a', ' b: c']],
    ['an empty line', ['HTTP/1.1 200 OK', '', 'x: y']],
    ['a length with a sign', ['HTTP/1.1 200 OK', 'content-length: +5']],
    ['a length in hex', ['HTTP/1.1 200 OK', 'content-length: 0x5']],
    ['an empty length', ['HTTP/1.1 200 OK', 'content-length:']],
    ['a length with a letter beyond ASCII', ['HTTP/1.1 200 OK', 'content-length: \xb2']],
    ['a list of lengths', ['HTTP/1.1 200 OK', 'content-length: 5, 5']],
    ['a length beyond all numbers', ['HTTP/1.1 200 OK', `content-length: ${'9'.repeat(16)}`]],
    ['two lengths that differ', ['HTTP/1.1 200 OK', 'content-length: 5', 'content-length: 6']],
    ['two lengths that agree', ['HTTP/1.1 200 OK', 'content-length: 5', 'Content-Length: 5']],
    ['a length and chunks', ['HTTP/1.1 200 OK', 'content-length: 5', 'transfer-encoding: chunked']],
    ['another coding', ['HTTP/1.1 200 OK', 'transfer-encoding: gzip, chunked']],
    ['chunks twice', ['HTTP/1.1 200 OK', 'transfer-encoding: chunked', 'transfer-encoding: chunked']],
    ['chunks by another name', ['HTTP/1.1 200 OK', 'transfer-encoding: xchunked']],
    ['chunks in HTTP/1.0', ['HTTP/1.0 200 OK', 'transfer-encoding: chunked']],
  ])('refuses %s', (_, lines) => {
    expect(() => parse(...lines)).toThrow(expect.objectContaining({ fault: 'malformed' }));
  });
});
