import { describe, expect, it } from 'vitest';
import { clientAnswerHead, engineRequestHeaders } from './headers.ts';

describe('engineRequestHeaders', () => {
  it("keeps the client's key, cookies and connection from the engine, and passes the rest on as sent", () => {
    const raw = [
      'Host',
      'edge',
      'Authorization',
      'Bearer k',
      'X-Api-Key',
      'k',
      'Cookie',
      'c=1',
      'Expect',
      '100-continue',
      'Transfer-Encoding',
      'chunked',
      'Content-Length',
      '3',
      'TE',
      'trailers',
      'Upgrade',
      'h2c',
      'Proxy-Authorization',
      'x',
      'Keep-Alive',
      'timeout=5',
      'Connection',
      'keep-alive',
      'Content-Type',
      'application/json',
      'Accept-Encoding',
      'gzip',
      'X-Request-Id',
      'abc',
      'X-Request-Id',
      'def',
    ];
    expect(engineRequestHeaders(raw, 'keep-alive', false)).toEqual([
      'Content-Type',
      'application/json',
      'Accept-Encoding',
      'gzip',
      'X-Request-Id',
      'abc',
      'X-Request-Id',
      'def',
    ]);
  });

  it('drops what Connection names', () => {
    const raw = ['Connection', 'close, X-Hop', 'X-Hop', '1', 'X-Stay', '2'];
    expect(engineRequestHeaders(raw, 'close, X-Hop', false)).toEqual(['X-Stay', '2']);
  });

  it('asks for a readable answer where one is needed', () => {
    expect(engineRequestHeaders(['Accept-Encoding', 'gzip', 'A', 'b'], undefined, true)).toEqual(['A', 'b']);
  });
});

describe('clientAnswerHead', () => {
  const raw = [
    'date',
    'now',
    'Connection',
    'X-Hop',
    'x-hop',
    '1',
    'transfer-encoding',
    'chunked',
    'keep-alive',
    'timeout=5',
    'Content-Type',
    'Text/Event-Stream',
    'content-length',
    '5',
    'set-cookie',
    'a',
    'set-cookie',
    'b',
  ].map((text) => Buffer.from(text, 'latin1'));

  it('strips the headers of the upstream connection and keeps all others, repeated ones too', () => {
    const head = clientAnswerHead(raw, false);
    expect(head.headers).toEqual([
      'date',
      'now',
      'Content-Type',
      'Text/Event-Stream',
      'content-length',
      '5',
      'set-cookie',
      'a',
      'set-cookie',
      'b',
    ]);
    expect(head.contentType).toBe('text/event-stream');
    expect(head.encoded).toBe(false);
  });

  it('drops the length of an answer whose bytes change, and sees that one is compressed', () => {
    const head = clientAnswerHead(['Content-Length', '5', 'Content-Encoding', 'gzip'], true);
    expect(head.headers).toEqual(['Content-Encoding', 'gzip']);
    expect(head.encoded).toBe(true);
  });
});
