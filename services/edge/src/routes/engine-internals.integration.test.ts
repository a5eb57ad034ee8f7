import { expect, test } from 'vitest';
import { errorEnvelopeSchema } from '@berth/contracts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { statusOf, valuesOf } from '../testing/http-message.ts';
import { RawEngine } from '../testing/raw-engine.ts';
import { RawSocket } from '../testing/raw-socket.ts';
import { TestEdge } from '../testing/test-edge.ts';

/** What vLLM 0.32.0 serves and clients may not use. */
const INTERNAL = [
  '/sleep',
  '/wake_up',
  '/is_sleeping',
  '/pause',
  '/resume',
  '/abort_requests',
  '/collective_rpc',
  '/server_info',
  '/reset_prefix_cache',
  '/release_kv_cache_memory',
  '/update_weights',
  '/init_weight_transfer_engine',
  '/get_world_size',
  '/start_profile',
  '/scale_elastic_ep',
  '/fault_tolerance/status',
  '/invocations',
  '/ping',
  '/load',
  '/version',
  '/kv_event_sources',
  '/tokenizer_info',
  '/openapi.json',
  '/docs',
  '/static/a.js',
  '/v1/load_lora_adapter',
  '/v1/unload_lora_adapter',
  '/v1/chat/completions/render',
  '/v1/chat/completions/derender',
  '/inference/v1/generate',
  '/inference/v1/abort_requests',
  '/cohere/v2/chat',
  '/v1/realtime',
];

/** Spellings that some reader takes for the same path, or for one that leads there. */
const SPELLINGS: readonly [string, (path: string) => string][] = [
  ['as it is', (path) => path],
  ['in capitals', (path) => path.toUpperCase()],
  ['with a slash behind', (path) => `${path}/`],
  ['with a query', (path) => `${path}?model=tiny`],
  ['with a fragment', (path) => `${path}#x`],
  ['behind a fragment', (path) => `/v1/completions#${path}`],
  ['with two slashes', (path) => `/${path}`],
  ['with slashes doubled', (path) => path.replaceAll('/', '//')],
  ['behind a dot', (path) => `/.${path}`],
  ['behind two dots', (path) => `/v1/..${path}`],
  ['behind a route and dots', (path) => `/v1/completions/../..${path}`],
  ['behind a route and encoded dots', (path) => `/v1/completions/%2e%2e/%2E%2E${path}`],
  ['behind a route and half encoded dots', (path) => `/v1/completions/.%2e/..${path}`],
  ['behind a route and dots encoded twice', (path) => `/v1/completions/%252e%252e/%252e%252e${path}`],
  ['behind a route and encoded slashes', (path) => `/v1/completions%2f..%2f..${path.replaceAll('/', '%2f')}`],
  ['behind a response and encoded slashes', (path) => `/v1/responses/..%2f..${path.replaceAll('/', '%2f')}?model=tiny`],
  ['behind a route and dots with parameters', (path) => `/v1/completions/..;/..;x=1${path}`],
  ['behind a route and backslashes', (path) => `/v1/completions\\..\\..${path.replaceAll('/', '\\')}`],
  ['behind a route and encoded backslashes', (path) => `/v1/completions%5c..%5c..${path.replaceAll('/', '%5c')}`],
  ['behind a model', (path) => `/v1/models/..%2f..${path.replaceAll('/', '%2f')}`],
  ['with backslashes', (path) => path.replaceAll('/', '\\')],
  ['with an encoded slash in front', (path) => `%2f${path.slice(1)}`],
  ['with encoded slashes', (path) => `/${path.slice(1).replaceAll('/', '%2F')}`],
  ['with every byte encoded', (path) => `/${encoded(path.slice(1))}`],
  ['with every byte encoded twice', (path) => `/${encoded(path.slice(1)).replaceAll('%', '%25')}`],
  ['with its first byte encoded', (path) => `/${encoded(path.slice(1, 2))}${path.slice(2)}`],
  ['with overlong UTF-8', (path) => path.replaceAll('/', '/%c0%af')],
  ['with raw overlong UTF-8', (path) => `/v1/completions\xc0\xae\xc0\xae${path}`],
  [
    'with full-width letters',
    (path) => `/${encodeURI(path.slice(1).replaceAll(/[a-z]/gu, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0)))}`,
  ],
  ['with parameters', (path) => `${path};x=1`],
  ['with an encoded zero byte', (path) => `${path}%00`],
  ['with a zero byte in front', (path) => `/%00${path}`],
  ['with a tab', (path) => `${path}\t`],
  ['with an encoded line break', (path) => `/v1/completions%0d%0aHost:%20x${path}`],
  ['with a space behind', (path) => `${path}%20`],
  ['with a suffix', (path) => `${path}.json`],
  ['as an absolute target', (path) => `http://edge${path}`],
  ['as an absolute target at the engine', (path) => `http://127.0.0.1:8000${path}`],
  ['as a target without a slash', (path) => path.slice(1)],
  ['with a user', (path) => `//x@edge${path}`],
];

test.each(SPELLINGS)('no internal route of an engine can be reached when it is spelled %s', async (_, spell) => {
  await using edge = await TestEdge.start();
  await using engine = await FakeEngine.start((__, response) => response.end('reached'));
  edge.host.serve('tiny', engine.url);
  const asked = INTERNAL.flatMap((path) => [`POST ${spell(path)}`, `GET ${spell(path)}`]);
  await Promise.all(
    asked.map(async (line) => {
      using client = await RawSocket.connect(edge.port);
      client.write(`${line} HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"model":"tiny"}`);
      const answer = await client.message();
      expect([400, 404], line).toContain(statusOf(answer));
      expect(errorEnvelopeSchema.safeParse(JSON.parse(answer.body.toString())).success).toBe(true);
    }),
  );
  expect(engine.connections).toBe(0);
});

test.each(['/v1/completions', '/tokenize', '/v1/audio/transcriptions'])(
  '%s names its method to all others, HEAD and OPTIONS included, and nothing to pages of other origins',
  async (path) => {
    await using edge = await TestEdge.start();
    await using engine = await FakeEngine.start((_, response) => response.end('reached'));
    edge.host.serve('tiny', engine.url);
    using client = await RawSocket.connect(edge.port);
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE']) {
      client.write(
        `${method} ${path}?model=tiny HTTP/1.1\r\nHost: edge\r\nOrigin: http://page\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
      );
      const answer = await client.message({ bodiless: method === 'HEAD' });
      expect(statusOf(answer)).toBe(405);
      expect(valuesOf(answer.headers, 'allow')).toEqual(['POST']);
      expect(answer.headers.some(([name]) => /^access-control-/iu.test(name))).toBe(false);
    }
    expect(engine.connections).toBe(0);
  },
);

test.each([301, 302, 303, 307, 308])('a redirect of an engine (%i) is not passed on, nor where it leads', async (status) => {
  await using edge = await TestEdge.start();
  await using engine = await RawEngine.answering(
    `HTTP/1.1 ${status} Elsewhere\r\nlocation: http://engine-7:8000/v1/completions/\r\ncontent-length: 0\r\n\r\n`,
  );
  edge.host.serve('tiny', engine.url);
  const answer = await edge.post('/v1/completions', { model: 'tiny' });
  expect(answer.status).toBe(502);
  expect(answer.headers.has('location')).toBe(false);
  const text = await answer.text();
  expect(JSON.parse(text)).toMatchObject({ error: { code: 'ENGINE_REDIRECTED' } });
  expect(text).not.toContain('engine-7');
  expect(engine.connections).toHaveLength(1);
  expect(edge.host.inFlight()).toBe(0);
});

function encoded(text: string): string {
  return Buffer.from(text).toString('hex').replaceAll(/../gu, '%$&');
}
