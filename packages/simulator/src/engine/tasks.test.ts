import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTemporaryHost, oneGpu } from '../testing/temporary-host.ts';
import type { TemporaryHost } from '../testing/temporary-host.ts';
import { startEngineProcess } from './start-engine-process.ts';
import type { EngineProcess } from './start-engine-process.ts';

// Real processes on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let host: TemporaryHost;
const messages = [{ role: 'user', content: 'hello' }];

beforeAll(() => {
  host = createTemporaryHost(oneGpu);
});

afterAll(() => host[Symbol.dispose]());

async function startModel(model: string): Promise<EngineProcess> {
  const other = await startEngineProcess({ host, args: [model, '--gpu-memory-utilization', '0.4'] });
  await other.ready();
  return other;
}

describe('an engine of another task', () => {
  it('has only the routes of that task', async () => {
    await using pooling = await startEngineProcess({ host, args: ['org/small', '--runner', 'pooling', '--gpu-memory-utilization', '0.4'] });
    await pooling.ready();
    expect(pooling.output).toContain("Supported tasks: ['token_embed', 'embed']");
    const send = async (path: string, body: object) =>
      await fetch(pooling.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    expect((await send('/v1/chat/completions', { messages })).status).toBe(404);
    expect(await (await send('/v1/embeddings', { input: ['a', 'b'], dimensions: 4 })).json()).toMatchObject({
      object: 'list',
      data: [{ index: 0, object: 'embedding' }, { index: 1 }],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    });
    const pooled = await send('/pooling', { input: 'a' });
    expect(await pooled.json()).toMatchObject({ data: [{ index: 0, object: 'pooling', data: expect.any(Array) as number[] }] });
    const encoded = (await (await send('/v1/embeddings', { input: 'a', dimensions: 4, encoding_format: 'base64' })).json()) as {
      data: { embedding: string }[];
    };
    expect(Buffer.from(encoded.data[0]?.embedding ?? '', 'base64')).toHaveLength(16);
    expect(await (await send('/v1/rerank', { query: 'q', documents: ['long document', 'x'], top_n: 1 })).json()).toMatchObject({
      results: [{ index: 1 }],
    });
  });
});

describe('a model of another kind', () => {
  it('reranks and scores when its name says so', async () => {
    await using reranker = await startModel('org/reranker');
    expect(reranker.output).toContain("Supported tasks: ['score']");
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const scored = await fetch(`${reranker.url}/score`, { ...init, body: JSON.stringify({ text_1: 'q', text_2: ['a', 'b'] }) });
    expect(await scored.json()).toMatchObject({ object: 'list', data: [{ index: 0, object: 'score' }, { index: 1 }] });
    expect((await fetch(`${reranker.url}/v1/embeddings`, { ...init, body: '{"input":"x"}' })).status).toBe(404);
  });

  it('transcribes and translates multipart audio, whatever the order of the fields', async () => {
    await using whisper = await startModel('org/whisper');
    const file = new Blob([new Uint8Array(64)]);
    const send = async (path: string, ...fields: [string, string | Blob][]): Promise<Response> => {
      const form = new FormData();
      for (const [name, value] of fields) form.append(name, value);
      return await fetch(`${whisper.url}/v1/audio/${path}`, { method: 'POST', body: form });
    };
    const text = expect.stringContaining('simulated') as string;
    const model: [string, string] = ['model', 'org/whisper'];
    expect(await (await send('transcriptions', model, ['file', file])).json()).toEqual({ text, usage: { type: 'duration', seconds: 30 } });
    expect(await (await send('translations', ['file', file], model)).json()).toEqual({ text });
    const verbose = await send('transcriptions', ['response_format', 'verbose_json'], ['file', file], model);
    expect(await verbose.json()).toMatchObject({ text, language: 'en', segments: [{ id: 0, text }] });
    const streamed = await (await send('transcriptions', model, ['stream', 'true'], ['file', file])).text();
    expect(streamed).toMatch(/^data: \{"id":"trsc-[^\n]*"object":"transcription.chunk"[^]*data: \[DONE\]\n\n$/);
    expect((await send('transcriptions', ['model', 'nope'], ['file', file])).status).toBe(404);
    expect((await send('transcriptions', model, ['response_format', 'srt'], ['file', file])).status).toBe(400);
  });
});
