import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { RawSocket } from '../testing/raw-socket.ts';
import { engineRequestHeaders } from '../proxy/headers.ts';
import { readPlainRequest } from './plain-request.ts';

/** What a server saw of the first request on a connection. */
interface Seen {
  readonly method: string | undefined;
  readonly target: string | undefined;
  readonly engineHeaders: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
}

const pick = (...texts: readonly string[]) => fc.constantFrom(...texts);
/** Mostly what is usual, so that many requests are read; and what parsers are known to disagree about. */
const often = (usual: string, ...odd: readonly string[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: pick(...odd) });
const name = fc.oneof(
  pick('A', 'x-b', 'Cookie', 'X-Api-Key', 'Prefer', 'Keep-Alive', 'accept', 'Content-Type', 'Authorization', 'connection', 'Expect'),
  pick('Content-Length', 'content-length', 'Host', 'Transfer-Encoding', 'a b', '', '\xe0', 'a\0', ' a', 'a\t'),
);
const value = fc.oneof(
  pick('', '1', ' x ', '\t', 'keep-alive', 'chunked', '16', 'a,b', 'a:b', 'Bearer k', '\xa0', '\x85', '100-continue'),
  pick('a\rb', 'a\nb', 'a\r\n b', 'a\r\n\r\nb', '\0', '\x7f', '\x0b', '"'),
);
const header = fc.tuple(name, often(':', ' :', ': ', ':\t', '', '::'), value).map((parts) => parts.join(''));
const request = fc
  .record({
    line: often(
      'POST /v1/completions HTTP/1.1',
      'POST  /v1/completions HTTP/1.1',
      'POST /v1/completions?a=b HTTP/1.1',
      'POST /v1/completions?\x01 HTTP/1.1',
    ),
    before: fc.array(header, { maxLength: 2 }),
    host: often('Host: edge', 'host:edge', 'Host: a b', 'Host:', 'Host: e\xe0', 'HOST: e'),
    length: often(
      'Content-Length: 16',
      'content-length:016',
      'Content-Length: 17',
      'Content-Length: 4',
      'Content-Length: 16 ',
      'Content-Length: 1 6',
    ),
    after: fc.array(header, { maxLength: 3 }),
    end: often('\r\n', '\n', '\r', '\r\n '),
    lineEnd: often('\r\n', '\n', '\r\r\n'),
    body: pick('{"model":"tiny"}', '{"model":"tiny"}POST /x HTTP/1.1\r\nHost: e\r\n\r\n', '\r\n{"model":"t"}\r\n'),
  })
  .map(({ line, before, host, length, after, end, lineEnd, body }) =>
    Buffer.from([line, ...before, host, length, ...after].join(lineEnd) + lineEnd + end + body, 'latin1'),
  );

test("a request that is read as plain is the same to Node's own server", async () => {
  const seen: Seen[] = [];
  const server = createServer({ requireHostHeader: false }, (incoming, outgoing) => {
    void buffer(incoming).then((body) => {
      const { method, url: target, rawHeaders, headers } = incoming;
      const engineHeaders = engineRequestHeaders(rawHeaders, headers.connection, false);
      seen.push({ method, target, engineHeaders, authorization: headers.authorization, body });
      outgoing.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let plain = 0;
  try {
    await fc.assert(
      fc.asyncProperty(request, async (bytes) => {
        const read = readPlainRequest(bytes, { bodyBytes: 1024, isRoute: (path) => path === '/v1/completions' });
        if (read.kind !== 'request') return;
        plain += 1;
        seen.length = 0;
        using client = await RawSocket.connect(port);
        client.write(bytes.subarray(0, read.length));
        await client.message();
        expect(seen).toEqual([
          {
            method: 'POST',
            target: read.target,
            engineHeaders: asSent(read.engineHeaders),
            authorization: read.headers.authorization,
            body: read.body,
          },
        ]);
      }),
      { seed: 20_261_125, numRuns: 6000 },
    );
  } finally {
    server.close();
  }
  expect(plain).toBeGreaterThan(300);
});

/** Lines as Node gives them again: one space behind the colon, and none around the value. */
function asSent(lines: string): string {
  return lines.replace(/:[ \t]*(.*?)[ \t]*\r\n/gu, (_, text: string) => `: ${text}\r\n`);
}
