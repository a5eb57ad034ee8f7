import { describe, expect, it } from 'vitest';
import { engineRequestHeaders } from './headers.ts';

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
    expect(engineRequestHeaders(raw, 'keep-alive', false)).toBe(
      'Content-Type: application/json\r\nAccept-Encoding: gzip\r\nX-Request-Id: abc\r\nX-Request-Id: def\r\n',
    );
  });

  it('drops what Connection names', () => {
    const raw = ['Connection', 'close, X-Hop', 'X-Hop', '1', 'X-Stay', '2'];
    expect(engineRequestHeaders(raw, 'close, X-Hop', false)).toBe('X-Stay: 2\r\n');
  });

  it('asks for a readable answer where one is needed', () => {
    expect(engineRequestHeaders(['Accept-Encoding', 'gzip', 'A', 'b'], undefined, true)).toBe('A: b\r\n');
  });
});
