import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { chunkFrame, completionBody, FakeEngine } from '../testing/fake-engine.ts';
import type { EngineHandler } from '../testing/fake-engine.ts';
import { TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const CLIENTS = 20;

interface Phase {
  readonly name: string;
  readonly stream: boolean;
  readonly handler: EngineHandler;
  /** Resolves when the client is where it is to leave. */
  readonly reached: (response: Promise<IncomingMessage>) => Promise<void>;
}

const phases: readonly Phase[] = [
  {
    name: 'after some events of a stream',
    stream: true,
    handler: (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write(chunkFrame('tiny', 'word ')), 5);
      response.on('close', () => clearInterval(timer));
    },
    reached: async (response) => {
      const stream = await response;
      let events = 0;
      await new Promise<void>((resolve) => stream.on('data', () => (events += 1) >= 3 && resolve()));
    },
  },
  {
    name: 'in a stream that is silent',
    stream: true,
    handler: (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
    },
    reached: async (response) => void (await response),
  },
  {
    name: 'inside a JSON answer',
    stream: false,
    handler: (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write(completionBody('tiny').slice(0, 50));
    },
    reached: async (response) => void (await response),
  },
  { name: 'before the head', stream: false, handler: () => undefined, reached: () => Promise.resolve() },
];

describe('a client that leaves', () => {
  test.each(phases)('stops the engine $name', async ({ stream, handler, reached }) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(handler);
    edge.host.serve('tiny', engine.url);

    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const { call, response } = ask(edge, stream);
        await reached(response);
        return call;
      }),
    );
    await waitUntil('all requests at the engine', () => engine.seen.length === CLIENTS);
    for (const client of clients) client.destroy();

    await Promise.all(engine.seen.map(({ aborted }) => aborted));
    await waitUntil('slots ended', () => edge.host.inFlight() === 0);
    expect(edge.host.ended).toBe(CLIENTS);
    await waitUntil('lines logged', () => edge.lines.length === CLIENTS);
    expect(new Set(edge.lines.map(({ fields }) => fields['outcome']))).toEqual(new Set(['client-left']));
  });

  test('while its large body is still coming reaches no engine and leaves nothing', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(() => undefined);
    edge.host.serve('tiny', engine.url);
    const call = request(`${edge.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': '100000' },
    });
    call.on('error', () => undefined);
    call.write('{"model":"tiny"');
    await waitUntil('connected', () => call.socket?.connecting === false);
    call.destroy();
    await waitUntil('line logged', () => edge.lines.length === 1);
    expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'client-left', attempts: 0 });
    expect(engine.seen).toHaveLength(0);
  });

  test('while it waits for its model leaves no waiter, no placement and no wish', async () => {
    await using edge = await TestEdge.start();
    const { call } = ask(edge, false);
    await waitUntil('waiting', () => edge.host.waiters === 1 && edge.host.placing === 1);
    call.destroy();
    await waitUntil('forgotten', () => edge.host.waiters === 0 && edge.host.placing === 0);
    await waitUntil('line logged', () => edge.lines.length === 1);
    expect(edge.host.wishes).toHaveLength(0);
    expect(edge.lines[0]?.fields).toMatchObject({ outcome: 'client-left', cold: true });
  });
});

function ask(edge: TestEdge, stream: boolean): { call: ClientRequest; response: Promise<IncomingMessage> } {
  const call = request(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json' },
  });
  call.on('error', () => undefined);
  const response = new Promise<IncomingMessage>((resolve) =>
    call.on('response', (incoming) => {
      incoming.on('error', () => undefined);
      resolve(incoming);
    }),
  );
  call.end(JSON.stringify({ model: 'tiny', stream, messages: [] }));
  return { call, response };
}
