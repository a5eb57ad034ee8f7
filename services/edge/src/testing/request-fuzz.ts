import * as fc from 'fast-check';
import { modelOfForm, modelOfJson } from './body-oracle.ts';
import { FakeEngine } from './fake-engine.ts';
import type { EngineHandler } from './fake-engine.ts';
import { fuzzedBodies } from './fuzz-bodies.ts';
import type { FuzzedBody } from './fuzz-bodies.ts';
import { statusOf } from './http-message.ts';
import { RawSocket } from './raw-socket.ts';
import { TestEdge } from './test-edge.ts';

const ok: EngineHandler = (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}');

/** How a body is cut into packets, and whether its length is told in front. */
const transport = fc.record({
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  chunked: fc.boolean(),
});

/**
 * Sends random JSON bodies and forms through an edge to two models with an engine each. Throws, with seed and smallest example, when a body
 * reaches another engine than the one of the model that it names, when its bytes change, when a plain one is not served, or when the edge
 * crashes or leaves something behind. `largeBytes`: bodies beyond this size flow.
 */
export async function fuzzRequests(options: { readonly seed: number; readonly runs: number; readonly largeBytes: number }): Promise<void> {
  const { seed, runs, largeBytes } = options;
  await using edge = await TestEdge.start({ yaml: catalog(largeBytes) });
  await using tiny = await FakeEngine.start(ok);
  await using plain = await FakeEngine.start(ok);
  edge.host.serve('tiny', tiny.url);
  edge.host.serve('plain', plain.url);
  const engines: Readonly<Record<string, FakeEngine>> = { tiny, 'gpt-4o-mini': tiny, plain };
  await fc.assert(
    fc.asyncProperty(fuzzedBodies(largeBytes), transport, async (body, sending) => {
      tiny.seen.length = 0;
      plain.seen.length = 0;
      const status = await send(edge, body, sending);
      const model = body.kind === 'json' ? modelOfJson(body.bytes) : modelOfForm(body.bytes, body.boundary);
      const expected = model === null ? undefined : engines[model];
      for (const engine of [tiny, plain]) {
        for (const seen of engine.seen) {
          // What the engine itself refuses reaches no model.
          if (model !== null && engine !== expected) throw new Error(`a request for ${model} reached the engine of another model`);
          if (!seen.body.equals(body.bytes)) throw new Error('the bytes of a body changed');
        }
      }
      if (![200, 400, 404].includes(status)) throw new Error(`answered with ${status}`);
      if (body.isPlain && status !== (expected === undefined ? 404 : 200))
        throw new Error(`a plain request for ${model} was answered with ${status}`);
      if (status === 200 && tiny.seen.length + plain.seen.length !== 1) throw new Error('no engine saw it, or several did');
    }),
    { seed, numRuns: runs, endOnFailure: true },
  );
  const failed = edge.lines.find(({ message, level }) => level === 'error' || message === 'request handler failed');
  if (failed !== undefined) throw new Error(`the edge failed: ${JSON.stringify(failed)}`);
  if (edge.host.inFlight() !== 0) throw new Error('a request was left in flight');
}

async function send(
  edge: TestEdge,
  { kind, bytes, boundary }: FuzzedBody,
  { cuts, chunked }: { readonly cuts: readonly number[]; readonly chunked: boolean },
): Promise<number> {
  using client = await RawSocket.connect(edge.port);
  const [path, type] =
    kind === 'json' ? ['/v1/completions', 'application/json'] : ['/v1/audio/transcriptions', `multipart/form-data; boundary="${boundary}"`];
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes.length}`;
  client.write(`POST ${path} HTTP/1.1\r\nHost: edge\r\nContent-Type: ${type}\r\n${framing}\r\n\r\n`);
  const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)).toSorted((one, other) => one - other), bytes.length];
  let from = 0;
  for (const end of ends) {
    const piece = bytes.subarray(from, end);
    from = end;
    if (piece.length === 0) continue;
    client.write(chunked ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]) : piece);
    await new Promise(setImmediate);
  }
  if (chunked) client.write('0\r\n\r\n');
  return statusOf(await client.message());
}

function catalog(largeBytes: number): string {
  return `
host: { runtime: process }
bodies: { retryLimit: ${largeBytes / 1024}KiB }
models:
  tiny: { source: org/tiny, aliases: [gpt-4o-mini] }
  plain: { source: org/plain }
`;
}
