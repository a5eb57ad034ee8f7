import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { asId } from '@berth/core';
import type { StartingEndpoint } from '@berth/core';
import { EDGE_METRICS } from '@berth/telemetry';
import { parseMetrics } from '../../../../test/support/parse-metrics.ts';
import type { Scrape } from '../../../../test/support/parse-metrics.ts';
import { closedUrl } from '../testing/closed-url.ts';
import { chatHandler, chunkFrame, FakeEngine } from '../testing/fake-engine.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { TEST_CATALOG, TestEdge } from '../testing/test-edge.ts';
import { waitUntil } from '../testing/wait-until.ts';

const CHAT = '/v1/chat/completions';
const EVENT_STREAM = { 'content-type': 'text/event-stream; charset=utf-8' };
const IDLE_TIMEOUT = `
host: { runtime: process }
streams: { idleTimeout: 150ms }
requests: { timeout: 150ms }
models: { tiny: { source: org/tiny } }
`;

async function scrape(edge: TestEdge): Promise<Scrape> {
  const answer = await fetch(`${edge.url}/metrics`);
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parseMetrics(await answer.text());
}

/** The scrape after so many requests have ended: a client has its answer a moment before its request is counted. */
async function afterEnds(edge: TestEdge, ends: number): Promise<Scrape> {
  await waitUntil(`${ends} requests to end`, () => edge.lines.filter(({ message }) => message.startsWith('request ')).length === ends);
  return scrape(edge);
}

const ended = (outcome: string, status: string, path: string) => ({ model: 'tiny', route: CHAT, outcome, status, path });
const { requests, failures, upstreamErrors, brokenStreams, tokens, firstByte, duration, coldWait } = EDGE_METRICS;
const tiny = { model: 'tiny' };

test('before any request every model is there, at zero', async () => {
  await using edge = await TestEdge.start();
  const { value } = await scrape(edge);
  for (const model of ['tiny', 'plain', 'unknown']) {
    expect(value(brokenStreams.name, { model, cause: 'engine-exited' })).toBe(0);
    expect(value(tokens.name, { model, kind: 'prompt' })).toBe(0);
  }
  expect(value(EDGE_METRICS.inFlight.name, tiny)).toBe(0);
});

describe('a request', () => {
  test('on the hot path counts with its tokens, bytes, first byte and duration', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    const text = await (await edge.post(CHAT, { model: 'gpt-4o-mini' })).text();
    const { value } = await afterEnds(edge, 1);
    expect(value(requests.name, ended('answered', '2xx', 'hot'))).toBe(1);
    expect(value(requests.name)).toBe(1);
    expect([value(tokens.name, { ...tiny, kind: 'prompt' }), value(tokens.name, { ...tiny, kind: 'completion' })]).toEqual([1, 1]);
    expect(value(EDGE_METRICS.bytesIn.name, tiny)).toBe('{"model":"gpt-4o-mini"}'.length);
    expect(value(EDGE_METRICS.bytesOut.name, tiny)).toBe(text.length);
    for (const { name } of [firstByte, duration]) expect(value(`${name}_count`, { ...tiny, path: 'hot' })).toBe(1);
    expect(value(`${coldWait.name}_count`)).toBeNull();
    // Nothing that does not apply to it.
    expect(edge.lines[0]?.fields).toEqual({
      requestId: 'request-1',
      method: 'POST',
      route: CHAT,
      model: 'tiny',
      stream: false,
      status: 200,
      outcome: 'answered',
      attempts: 1,
      cold: false,
      bytesIn: '{"model":"gpt-4o-mini"}'.length,
      bytesOut: text.length,
      promptTokens: 1,
      completionTokens: 1,
      edgeReplicaId: 'edge-1',
      generation: expect.stringMatching(/^\d+$/u),
      engineFirstByteMs: expect.any(Number),
      firstByteMs: expect.any(Number),
      durationMs: expect.any(Number),
    });
  });

  test('counts as in flight while an endpoint has it, and as waiting while none does', async () => {
    await using edge = await TestEdge.start();
    const { promise: answering, resolve } = Promise.withResolvers<void>();
    await using engine = await FakeEngine.start((incoming, response, body) => {
      void answering.then(() => chatHandler('tiny')(incoming, response, body));
    });
    const asking = edge.post(CHAT, { model: 'tiny' });
    await waitUntil('waiting', () => edge.host.waiters === 1);
    let seen = await scrape(edge);
    expect([seen.value(EDGE_METRICS.waiters.name, tiny), seen.value(EDGE_METRICS.inFlight.name, tiny)]).toEqual([1, 0]);
    edge.host.serve('tiny', engine.url);
    await waitUntil('sent', () => engine.seen.length === 1);
    seen = await scrape(edge);
    expect([seen.value(EDGE_METRICS.waiters.name, tiny), seen.value(EDGE_METRICS.inFlight.name, tiny)]).toEqual([0, 1]);
    expect(seen.value(EDGE_METRICS.leases.name, { state: 'open' })).toBe(1);
    resolve();
    await asking;
    expect((await afterEnds(edge, 1)).value(EDGE_METRICS.inFlight.name, tiny)).toBe(0);
  });

  test('that waited counts as cold, and one start counts once however many waited for it', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.endpoints = [startingTiny()];
    const asking = [1, 2, 3].map(() => edge.post(CHAT, { model: 'tiny' }));
    await waitUntil('all wait', () => edge.host.waiters === 3);
    edge.host.serve('tiny', engine.url);
    await Promise.all(asking);
    const { value } = await afterEnds(edge, 3);
    expect(value(requests.name, ended('answered', '2xx', 'cold'))).toBe(3);
    for (const phase of ['queue', 'place']) expect(value(`${coldWait.name}_count`, { ...tiny, phase })).toBe(3);
    expect(value(EDGE_METRICS.coldStarts.name, tiny)).toBe(1);
    expect(value(`${firstByte.name}_count`, { ...tiny, path: 'cold' })).toBe(3);
    for (const { fields } of edge.lines) {
      expect(fields).toMatchObject({ cold: true, queueMs: expect.any(Number), placeMs: expect.any(Number) });
    }
  });

  test('whose placement fails counts by its code', async () => {
    await using edge = await TestEdge.start();
    const asking = edge.post(CHAT, { model: 'tiny' });
    await waitUntil('waiting', () => edge.host.placing === 1);
    edge.host.fail('tiny', { code: 'DOES_NOT_FIT', message: 'too big', retryable: false });
    await asking;
    const { value } = await afterEnds(edge, 1);
    expect(value(requests.name, ended('failed', '5xx', 'cold'))).toBe(1);
    expect(value(failures.name, { ...tiny, code: 'DOES_NOT_FIT' })).toBe(1);
  });

  test('that meets a limit counts by its code', async () => {
    await using edge = await TestEdge.start();
    edge.host.maxWaiters = 0;
    expect((await edge.post(CHAT, { model: 'tiny' })).status).toBe(429);
    const { value } = await afterEnds(edge, 1);
    expect(value(failures.name, { ...tiny, code: 'QUEUE_FULL' })).toBe(1);
    expect(value(requests.name, ended('failed', '4xx', 'cold'))).toBe(1);
  });

  test('for a model that nobody knows counts as unknown, and its name is nowhere', async () => {
    await using edge = await TestEdge.start();
    await edge.post(CHAT, { model: 'secret-name' });
    const text = await (await fetch(`${edge.url}/metrics`)).text();
    expect(text).not.toContain('secret-name');
    const { value } = await afterEnds(edge, 1);
    expect(value(requests.name, { ...ended('failed', '4xx', 'none'), model: 'unknown' })).toBe(1);
    expect(value(failures.name, { model: 'unknown', code: 'MODEL_NOT_FOUND' })).toBe(1);
  });

  test('counts by the pattern of its route, never by what stands in its place', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.end('{}'));
    edge.host.serve('tiny', engine.url);
    await edge.post('/v1/responses/resp_123/cancel?model=tiny', {});
    const { samples } = await afterEnds(edge, 1);
    const routes = samples.flatMap(({ labels }) => (labels['route'] === undefined ? [] : [labels['route']]));
    expect(routes).toEqual(['/v1/responses/:id{[A-Za-z0-9_-]+}/cancel']);
  });

  test('counts by the id of its key, and never shows the key', async () => {
    const key = 'key-of-a-team-1234';
    const keys = `keys: [{ id: team-a, sha256: ${createHash('sha256').update(key).digest('hex')} }]\n`;
    await using edge = await TestEdge.start({ yaml: `${TEST_CATALOG}${keys}` });
    await using engine = await FakeEngine.start(chatHandler('tiny'));
    edge.host.serve('tiny', engine.url);
    await edge.post(CHAT, { model: 'tiny' }, { authorization: `Bearer ${key}` });
    await edge.post(CHAT, { model: 'tiny' }, { authorization: 'Bearer another-key-1234' });
    const { value } = await afterEnds(edge, 2);
    expect(value(EDGE_METRICS.keyRequests.name, { key: 'team-a', status: '2xx' })).toBe(1);
    expect(value(EDGE_METRICS.keyRequests.name)).toBe(1);
    expect(value(failures.name, { model: 'unknown', code: 'INVALID_KEY' })).toBe(1);
    const told = JSON.stringify(edge.lines) + (await (await fetch(`${edge.url}/metrics`)).text());
    expect(told).not.toMatch(/key-of-a-team|another-key/u);
  });

  test('whose client leaves counts so, and not as an error', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, EVENT_STREAM).write(chunkFrame('tiny', 'a')));
    edge.host.serve('tiny', engine.url);
    const leaving = new AbortController();
    const answer = await edge.post(CHAT, { model: 'tiny', stream: true }, {}, leaving.signal);
    await answer.body?.getReader().read();
    leaving.abort();
    const { value } = await afterEnds(edge, 1);
    expect(value(requests.name, ended('client-left', '2xx', 'hot'))).toBe(1);
    expect([value(upstreamErrors.name), value(brokenStreams.name), value(failures.name)]).toEqual([0, 0, null]);
  });

  test('that is tried again counts its retries and what it did not reach', async () => {
    await using edge = await TestEdge.start();
    edge.host.serve('tiny', await closedUrl());
    expect((await edge.post(CHAT, { model: 'tiny' })).status).toBe(502);
    const { value } = await afterEnds(edge, 1);
    expect(value(EDGE_METRICS.retries.name, tiny)).toBe(2);
    expect(value(upstreamErrors.name, { ...tiny, kind: 'unreached' })).toBe(3);
    expect(value(requests.name, ended('failed', '5xx', 'hot'))).toBe(1);
  });

  test('that found its endpoint gone and then was not served counts as no cold start', async () => {
    await using edge = await TestEdge.start({ retryPausesMs: [500, 500] });
    edge.host.serve('tiny', await closedUrl());
    const asking = edge.post(CHAT, { model: 'tiny' }, { prefer: 'wait=1' });
    await waitUntil('suspected', () => edge.host.suspected.length > 0);
    edge.host.stop('tiny');
    edge.host.endpoints = [startingTiny()];
    expect((await asking).status).toBe(503);
    const { value } = await afterEnds(edge, 1);
    expect([value(EDGE_METRICS.coldStarts.name, tiny), value(`${coldWait.name}_count`, { ...tiny, phase: 'queue' })]).toEqual([0, null]);
    expect(value(requests.name, ended('failed', '5xx', 'cold'))).toBe(1);
  });

  test('for a stored response counts what its engines did under their own models', async () => {
    await using edge = await TestEdge.start();
    await using cuts = await RawEngine.answering('HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\nab', (connection) =>
      connection.end(),
    );
    await using knows = await FakeEngine.start((_, response) => response.writeHead(200).end('{}'));
    edge.host.serve('plain', knows.url);
    edge.host.use('plain', 1);
    for (const [at, url] of [await closedUrl(), cuts.url].entries()) {
      edge.host.serve('tiny', url);
      edge.host.use('tiny', 2 + at);
      expect((await fetch(`${edge.url}/v1/responses/resp_${at}`)).status).toBe(200);
    }
    const { value } = await afterEnds(edge, 2);
    expect(['unreached', 'broken'].map((kind) => value(upstreamErrors.name, { ...tiny, kind }))).toEqual([1, 1]);
    expect([value(upstreamErrors.name), value(brokenStreams.name), value(EDGE_METRICS.retries.name)]).toEqual([2, 0, 0]);
  });

  test('that an engine refuses with a 5xx counts as its error', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(503).end());
    edge.host.serve('tiny', engine.url);
    await edge.post(CHAT, { model: 'tiny' });
    const { value } = await afterEnds(edge, 1);
    expect(value(requests.name, ended('answered', '5xx', 'hot'))).toBe(1);
    expect(value(upstreamErrors.name, { ...tiny, kind: 'status_5xx' })).toBe(1);
  });

  test('whose answer is compressed counts no tokens', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) =>
      // Not compressed in fact: were it read, it would count.
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'zstd' }).end('{"usage":{"prompt_tokens":5}}'),
    );
    edge.host.serve('tiny', engine.url);
    await edge.post(CHAT, { model: 'tiny' });
    expect((await afterEnds(edge, 1)).value(tokens.name)).toBe(0);
    expect(edge.lines[0]?.fields).not.toHaveProperty('promptTokens');
    expect(edge.lines[0]?.fields).not.toHaveProperty('completionTokens');
  });
});

describe('a stream', () => {
  test('counts the tokens that its last frame tells', async () => {
    await using edge = await TestEdge.start();
    const usage = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 9, completion_tokens: 3 } })}\n\ndata: [DONE]\n\n`;
    await using engine = await FakeEngine.start((_, response) => {
      response.writeHead(200, EVENT_STREAM).write(chunkFrame('tiny', '"usage":{"prompt_tokens":1000}'));
      response.end(usage);
    });
    edge.host.serve('tiny', engine.url);
    await (await edge.post(CHAT, { model: 'tiny', stream: true })).text();
    const { value } = await afterEnds(edge, 1);
    expect([value(tokens.name, { ...tiny, kind: 'prompt' }), value(tokens.name, { ...tiny, kind: 'completion' })]).toEqual([9, 3]);
  });

  test('with an error frame of its engine counts as an error of that kind, and is not broken', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) =>
      response.writeHead(200, EVENT_STREAM).end('data: {"error": {"code": 500}}\n\ndata: [DONE]\n\n'),
    );
    edge.host.serve('tiny', engine.url);
    await (await edge.post(CHAT, { model: 'tiny', stream: true })).text();
    const { value } = await afterEnds(edge, 1);
    expect(value(upstreamErrors.name, { ...tiny, kind: 'error_frame' })).toBe(1);
    expect([value(upstreamErrors.name), value(brokenStreams.name)]).toEqual([1, 0]);
  });

  test('whose engine dies is broken by it', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((incoming, response) => {
      response.writeHead(200, EVENT_STREAM).write(chunkFrame('tiny', 'a'), () => incoming.socket.resetAndDestroy());
    });
    edge.host.serve('tiny', engine.url);
    await (await edge.post(CHAT, { model: 'tiny', stream: true })).text();
    const { value } = await afterEnds(edge, 1);
    expect(value(requests.name, ended('broken', '2xx', 'hot'))).toBe(1);
    expect(value(brokenStreams.name, { ...tiny, cause: 'engine-exited' })).toBe(1);
    expect(value(brokenStreams.name)).toBe(1);
    expect(value(upstreamErrors.name, { ...tiny, kind: 'broken' })).toBe(1);
    expect(edge.lines[0]).toMatchObject({ level: 'warn', fields: { outcome: 'broken', brokenBy: 'engine-exited' } });
  });

  test('whose endpoint is stopped by force is told apart from one whose engine died', async () => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, EVENT_STREAM).write(chunkFrame('tiny', 'a')));
    edge.host.serve('tiny', engine.url);
    const answer = await edge.post(CHAT, { model: 'tiny', stream: true });
    edge.host.stop('tiny', true);
    await answer.text();
    const { value } = await afterEnds(edge, 1);
    expect(value(brokenStreams.name, { ...tiny, cause: 'endpoint-stopped' })).toBe(1);
    expect(value(brokenStreams.name)).toBe(1);
  });

  test('whose engine falls silent is broken by its silence', async () => {
    await using edge = await TestEdge.start({ yaml: IDLE_TIMEOUT });
    await using engine = await FakeEngine.start((_, response) => response.writeHead(200, EVENT_STREAM).write(chunkFrame('tiny', 'a')));
    edge.host.serve('tiny', engine.url);
    await (await edge.post(CHAT, { model: 'tiny', stream: true })).text();
    const { value } = await afterEnds(edge, 1);
    expect(value(brokenStreams.name, { ...tiny, cause: 'engine-silent' })).toBe(1);
    expect(value(upstreamErrors.name, { ...tiny, kind: 'silent' })).toBe(1);
  });
});

test('a Redis that fails shows for how long', async () => {
  await using edge = await TestEdge.start();
  expect((await scrape(edge)).value(EDGE_METRICS.redisFailing.name)).toBe(0);
  edge.host.failingSinceMs = performance.timeOrigin + performance.now() - 5000;
  expect((await scrape(edge)).value(EDGE_METRICS.redisFailing.name)).toBeGreaterThanOrEqual(5);
  edge.host.synced = false;
  expect((await scrape(edge)).value(EDGE_METRICS.syncAge.name)).toBeNull();
});

function startingTiny(): StartingEndpoint {
  return {
    state: 'starting',
    generation: asId('1700000000000'),
    model: asId('tiny'),
    signature: asId('signature'),
    imageId: 'image',
    hasCounter: true,
    containerName: 'berth-tiny',
    handle: null,
    allocations: [],
    servedNames: ['tiny'],
    createdAtMs: 0,
    kvCacheBytes: null,
    discovery: false,
    startedAtMs: 0,
    phase: 'weights',
    usedBefore: [],
    deadlineAtMs: Number.MAX_SAFE_INTEGER,
  };
}
