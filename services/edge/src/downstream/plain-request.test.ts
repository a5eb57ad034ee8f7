import { describe, expect, it } from 'vitest';
import { readPlainRequest } from './plain-request.ts';
import type { PlainRead } from './plain-request.ts';

const BODY = '{"model":"tiny"}';
const LINE = 'POST /v1/completions HTTP/1.1';
const USUAL = ['Host: edge:8000', `Content-Length: ${BODY.length}`];

function read(text: string, bodyBytes = 1024): PlainRead {
  return readPlainRequest(Buffer.from(text, 'latin1'), { bodyBytes, isRoute: (path) => path === '/v1/completions' });
}

function requestOf(lines: readonly string[], body = BODY): string {
  return [...lines, '', body].join('\r\n');
}

describe('readPlainRequest', () => {
  it('reads target, headers and body', () => {
    const text = requestOf([LINE.replace(' HTTP', '?a=%2F HTTP'), ...USUAL, 'x-api-key:k', 'PREFER: \t wait=3 \t', 'content-type: a/b']);
    expect(read(text)).toMatchObject({
      kind: 'request',
      path: '/v1/completions',
      target: '/v1/completions?a=%2F',
      headers: { 'x-api-key': 'k', prefer: 'wait=3', 'content-type': 'a/b', authorization: undefined },
      body: Buffer.from(BODY),
      length: text.length,
    });
  });

  it.each([
    ['none', [], ''],
    ['those in front', ['A: 1', 'b:2', ...USUAL], 'A: 1\r\nb:2\r\n'],
    ['those behind', [...USUAL, 'a: 1 '], 'a: 1 \r\n'],
    [
      'those between',
      ['Host: e', 'a: 1', 'Authorization: Bearer k', 'Prefer: x', 'Cookie: c', 'content-length: 16'],
      'a: 1\r\nPrefer: x\r\n',
    ],
    ['the same twice', [...USUAL, 'a: 1', 'a: 2', 'connection: Keep-Alive'], 'a: 1\r\na: 2\r\n'],
    ['bytes of any letter', [...USUAL, 'a: voil\xe0'], 'a: voil\xe0\r\n'],
    ['none of the connection', [...USUAL, 'Keep-Alive: 5', 'X-Api-Key: k', 'api-key: k'], ''],
  ])("passes on, as they were sent, the lines that are not the client connection's own or Berth's: %s", (_, lines, passed) => {
    const head = lines.length === 0 ? USUAL : lines;
    expect(read(requestOf([LINE, ...head]))).toMatchObject({ kind: 'request', engineHeaders: passed });
  });

  it('asks for more until all is there, and leaves what comes behind', () => {
    const text = requestOf([LINE, ...USUAL]);
    for (let length = 1; length < text.length; length += 1) {
      const partial = read(text.slice(0, length));
      expect(partial).toMatchObject({ kind: 'partial' });
      expect(partial.kind === 'partial' && partial.bytes > length && partial.bytes <= text.length).toBe(true);
    }
    expect(read(`${text}POST /next`)).toMatchObject({ kind: 'request', length: text.length, body: Buffer.from(BODY) });
  });

  it.each([
    ['another method', requestOf([LINE.replace('POST', 'GET'), ...USUAL])],
    ['a method in another case', requestOf([LINE.replace('POST', 'post'), ...USUAL])],
    ['another path', requestOf([LINE.replace('completions', 'models'), ...USUAL])],
    ['another spelling of the path', requestOf([LINE.replace('/v1', '//v1'), ...USUAL])],
    ['an absolute target', requestOf([LINE.replace('/v1', 'http://e/v1'), ...USUAL])],
    ['a fragment', requestOf([LINE.replace(' HTTP', '#a HTTP'), ...USUAL])],
    ['a space in the query', requestOf([LINE.replace(' HTTP', '?a b HTTP'), ...USUAL])],
    ['a byte above ASCII in the query', requestOf([LINE.replace(' HTTP', '?\xe0 HTTP'), ...USUAL])],
    ['HTTP/1.0', requestOf([LINE.replace('1.1', '1.0'), ...USUAL])],
    ['two spaces before the version', requestOf([LINE.replace(' HTTP', '  HTTP'), ...USUAL])],
    ['no Host', requestOf([LINE, USUAL[1] ?? ''])],
    ['two Hosts', requestOf([LINE, 'host: a', ...USUAL])],
    ['a Host that is none', requestOf([LINE, 'Host: ed ge/', USUAL[1] ?? ''])],
    ['no length', requestOf([LINE, 'Host: e'])],
    ['two lengths', requestOf([LINE, ...USUAL, 'content-length: 16'])],
    ['a list of lengths', requestOf([LINE, 'Host: e', 'content-length: 16, 16'])],
    ['a length with a sign', requestOf([LINE, 'Host: e', 'content-length: +16'])],
    ['a length in hex', requestOf([LINE, 'Host: e', 'content-length: 0x10'])],
    ['an empty length', requestOf([LINE, 'Host: e', 'content-length:'])],
    ['chunks', requestOf([LINE, 'Host: e', 'Transfer-Encoding: chunked'])],
    ['a length and chunks', requestOf([LINE, ...USUAL, 'TRANSFER-ENCODING: chunked'])],
    ['an expectation', requestOf([LINE, ...USUAL, 'Expect: 100-continue'])],
    ['an upgrade', requestOf([LINE, ...USUAL, 'Upgrade: h2c'])],
    ['trailers', requestOf([LINE, ...USUAL, 'Trailer: a'])],
    ['the wish to close', requestOf([LINE, ...USUAL, 'Connection: close'])],
    ['the wish to close, as older clients say it', requestOf([LINE, ...USUAL, 'Proxy-Connection: close'])],
    ['a Connection that names headers', requestOf([LINE, ...USUAL, 'Connection: keep-alive, x-a'])],
    ['two keys', requestOf([LINE, ...USUAL, 'Authorization: Bearer a', 'authorization: Bearer b'])],
    ['an encoded body', requestOf([LINE, ...USUAL, 'Content-Encoding: gzip'])],
    ['a header without a colon', requestOf([LINE, ...USUAL, 'nonsense'])],
    ['a header without a name', requestOf([LINE, ...USUAL, ': a'])],
    ['a space in front of a colon', requestOf([LINE, ...USUAL, 'a : b'])],
    ['a folded header', requestOf([LINE, ...USUAL, 'a: b', ' c'])],
    ['a zero byte', requestOf([LINE, ...USUAL, 'a: \0'])],
    ['a lone carriage return', requestOf([LINE, ...USUAL, 'a: b\rc: d'])],
    ['a lone line feed', requestOf([LINE, ...USUAL, 'a: b\nc: d'])],
    [
      'lines that end in line feeds',
      requestOf([LINE, ...USUAL])
        .replaceAll('\r\n', '\n')
        .padEnd(17 * 1024),
    ],
    ['an empty line in front', `\r\n${requestOf([LINE, ...USUAL])}`],
    ['a head without headers', `${LINE}\r\n\r\n`],
    ['101 headers', requestOf([LINE, ...USUAL, ...Array.from({ length: 99 }, () => 'a: b')])],
    ['a head of 17 kB', requestOf([LINE, ...USUAL, `a: ${'b'.repeat(17_000)}`])],
    ['a head of 17 kB that has not ended', `${LINE}\r\na: ${'b'.repeat(17_000)}`],
    ['a longer body than is read whole', requestOf([LINE, 'Host: e', 'content-length: 1025'], 'x'.repeat(1025))],
  ])('leaves to somebody else what has %s', (_, text) => {
    expect(read(text)).toEqual({ kind: 'other' });
  });
});
