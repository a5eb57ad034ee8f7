import { describe, expect, test } from 'vitest';
import { EDGE_METRICS } from '@berth/telemetry';
import { parseMetrics } from '../../../../test/support/parse-metrics.ts';
import { statusOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const MIB = 1024 * 1024;
const STREAM = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const EVENT = 'f\r\ndata: {"n":1}\n\n\r\n';

const yaml = `
host: { runtime: process }
bodies: { limit: 4MiB, retryLimit: 64KiB }
requests: { bodyIdleTimeout: 200ms }
models: { tiny: { source: org/tiny } }
`;

/** What a client does to a body of which an engine has the begin, and what it is told: a status, and a code. */
const FAULTS: readonly [string, (client: RawSocket) => void, number, string][] = [
  ['names another model', (client) => client.write(chunk('","model":"other"}')), 400, 'INVALID_REQUEST'],
  ['grows too large', (client) => client.write(chunk('x'.repeat(4 * MIB))), 413, 'REQUEST_TOO_LARGE'],
  ['stops', () => undefined, 408, 'REQUEST_TIMEOUT'],
];

describe('a body that its engine has begun to read', () => {
  test.each(FAULTS)('and that %s is told to the client, and is no error of the engine', async (_, act, status, code) => {
    await using edge = await TestEdge.start({ yaml });
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    const connection = await begin(client, engine);
    act(client);
    const answer = await client.message();
    expect([statusOf(answer), JSON.parse(answer.body.toString()).error.code]).toEqual([status, code]);
    await connection.over();
    expect(await counted(edge)).toEqual({ upstreamErrors: 0, broken: 0, outcome: 'failed', code });
  });

  test.each(FAULTS)(
    'and that %s behind the begin of an answer ends that with an error, which is none of the engine',
    async (_, act, __, code) => {
      await using edge = await TestEdge.start({ yaml });
      await using engine = await RawEngine.start();
      edge.host.serve('tiny', engine.url);
      using client = await RawSocket.connect(edge.port);
      const connection = await begin(client, engine);
      connection.write(STREAM + EVENT);
      await waitUntil('the begin of the answer', () => client.received.includes('"n":1'));
      act(client);
      expect((await client.message()).body.toString()).toMatch(new RegExp(`data: \\{"error":\\{[^\\n]*"code":"${code}"\\}\\}\\n\\n$`, 'u'));
      await connection.over();
      expect(await counted(edge)).toEqual({ upstreamErrors: 0, broken: 0, outcome: 'broken', code });
    },
  );

  test('and whose client leaves is no error of the engine', async () => {
    await using edge = await TestEdge.start({ yaml });
    await using engine = await RawEngine.start();
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    const connection = await begin(client, engine);
    client.reset();
    await connection.over();
    expect(await counted(edge)).toEqual({ upstreamErrors: 0, broken: 0, outcome: 'client-left', code: null });
  });
});

/** Sends the first part of a large body; resolves when the engine has some of it. */
async function begin(client: RawSocket, engine: RawEngine): Promise<RawSocket> {
  client.write('POST /v1/chat/completions HTTP/1.1\r\nHost: edge\r\nTransfer-Encoding: chunked\r\n\r\n');
  client.write(chunk(`{"model":"tiny","a":"${'x'.repeat(MIB)}`));
  const connection = await engine.connection();
  await waitUntil('the body at the engine', () => connection.bytesReceived > MIB);
  return connection;
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

async function counted(edge: TestEdge) {
  await waitUntil('line logged', () => edge.lines.length === 1);
  const { value } = parseMetrics(await (await fetch(`${edge.url}/metrics`)).text());
  const { outcome, code = null } = edge.lines[0]?.fields ?? {};
  return { upstreamErrors: value(EDGE_METRICS.upstreamErrors.name), broken: value(EDGE_METRICS.brokenStreams.name), outcome, code };
}
