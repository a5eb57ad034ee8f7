import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { errorEnvelopeSchema } from '@berth/contracts';
import { TEST_CATALOG, TestEdge } from '../testing/test-edge.ts';

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const USER = 'key-of-a-user-1234';
const ADMIN = 'key-of-an-admin-1234';
const keysOf = (key: string): string => `keys: [{ id: user, sha256: ${sha256(key)} }]\n`;
const ADMIN_KEYS = `adminKeys: [{ id: root, sha256: ${sha256(ADMIN)} }]\n`;
const YAML = `${TEST_CATALOG}${keysOf(USER)}${ADMIN_KEYS}`;

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}` });
const ADMIN_ROUTES: readonly (readonly [string, string])[] = [
  ['GET', '/'],
  ['GET', '/admin'],
  ['GET', '/admin/v1/state'],
  ['POST', '/admin/v1/models/tiny/load'],
  ['POST', '/admin/v1/models/tiny/stop'],
  ['POST', '/admin/v1/stop'],
  ['GET', '/admin/queues'],
  ['GET', '/admin/queues/'],
  ['GET', '/admin/queues/api/queues'],
  ['DELETE', '/admin/anything'],
];

function ask(edge: TestEdge, method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(edge.url + path, { method, headers, redirect: 'manual' });
}

describe.each(ADMIN_ROUTES)('%s %s', (method, path) => {
  test.each([
    ['no key', {}],
    ['a key of the models', bearer(USER)],
    ['a key of the models as a password', basic(USER)],
    ['the hash of an admin key', bearer(sha256(ADMIN))],
  ])('asks for a password when it gets %s, and does nothing', async (_, headers) => {
    await using edge = await TestEdge.start({ yaml: YAML });
    const answer = await ask(edge, method, path, headers);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="Berth admin", charset="UTF-8"');
    expect(errorEnvelopeSchema.parse(await answer.json()).error.message).toContain('BERTH_ADMIN_KEY');
    expect(edge.host.wishes.length + edge.host.stopRequests.length).toBe(0);
  });

  test('is closed where there are keys and no admin keys, and says what to add', async () => {
    await using edge = await TestEdge.start({ yaml: `${TEST_CATALOG}${keysOf(USER)}` });
    for (const headers of [{}, bearer(USER), basic(USER)]) {
      const answer = await ask(edge, method, path, headers);
      expect(answer.status).toBe(403);
      const { error } = errorEnvelopeSchema.parse(await answer.json());
      expect(error.code).toBe('ADMIN_KEY_NEEDED');
      expect(error.message).toContain('adminKeys: [{ id: NAME, sha256: HASH }]');
    }
    expect(edge.host.wishes.length + edge.host.stopRequests.length).toBe(0);
  });
});

test.each([
  ['Bearer', bearer(ADMIN)],
  ['x-api-key', { 'x-api-key': ADMIN }],
  ['a password', basic(ADMIN)],
])('an admin key opens the admin API by %s', async (_, headers) => {
  await using edge = await TestEdge.start({ yaml: YAML });
  expect((await ask(edge, 'GET', '/', headers)).status).toBe(200);
  expect((await ask(edge, 'GET', '/admin/v1/state', headers)).status).toBe(200);
  expect((await ask(edge, 'POST', '/admin/v1/models/tiny/stop', headers)).status).toBe(202);
  expect(edge.host.stopRequests).toHaveLength(1);
});

test('a password that the browser keeps changes nothing for a page of another origin', async () => {
  await using edge = await TestEdge.start({ yaml: YAML });
  for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${edge.port + 1}`]) {
    expect((await ask(edge, 'POST', '/admin/v1/stop', { ...basic(ADMIN), origin })).status).toBe(403);
  }
  expect(edge.host.stopRequests).toHaveLength(0);
  expect((await ask(edge, 'POST', '/admin/v1/stop', { ...basic(ADMIN), origin: edge.url })).status).toBe(202);
  // A key in a header of its own was put there by somebody who has it.
  expect((await ask(edge, 'POST', '/admin/v1/stop', { ...bearer(ADMIN), origin: 'https://other.example' })).status).toBe(202);
});

test('an admin key opens no model', async () => {
  await using edge = await TestEdge.start({ yaml: YAML });
  expect((await edge.post('/v1/chat/completions', { model: 'tiny' }, bearer(ADMIN))).status).toBe(401);
  expect((await ask(edge, 'GET', '/v1/models', bearer(ADMIN))).status).toBe(401);
});

test('admin keys alone leave the models open', async () => {
  await using edge = await TestEdge.start({ yaml: `${TEST_CATALOG}${ADMIN_KEYS}` });
  expect((await ask(edge, 'GET', '/v1/models')).status).toBe(200);
  expect((await ask(edge, 'GET', '/')).status).toBe(401);
});

test.each(['/health/live', '/health/ready', '/health/placement'])('%s is open to everybody', async (path) => {
  await using edge = await TestEdge.start({ yaml: YAML });
  expect((await ask(edge, 'GET', path)).status).toBe(200);
});

test.each([
  '/ADMIN/v1/state',
  '/%61dmin/v1/state',
  '/admin%2fv1%2fstate',
  '//admin/v1/state',
  '/./admin/v1/state',
  '/v1/../admin/v1/state',
])('the spelling %s leads nowhere', async (path) => {
  await using edge = await TestEdge.start({ yaml: YAML });
  const answer = await rawStatus(edge.port, path);
  expect(answer).toMatch(/^HTTP\/1\.1 404 /u);
});

/** `fetch` would tidy the path up. */
function rawStatus(port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n`);
  return text(socket);
}
