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

  it('transcribes multipart audio', async () => {
    await using whisper = await startModel('org/whisper');
    const form = new FormData();
    form.set('model', 'org/whisper');
    form.set('file', new Blob([new Uint8Array(64)]), 'silence.wav');
    const answer = await fetch(`${whisper.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
    expect(await answer.json()).toMatchObject({ text: expect.stringContaining('simulated') as string });
    form.set('model', 'nope');
    expect((await fetch(`${whisper.url}/v1/audio/transcriptions`, { method: 'POST', body: form })).status).toBe(404);
  });
});
