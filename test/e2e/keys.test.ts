import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { startBerth, type BerthUnderTest } from '../support/berth.ts';
import { chatBody, postChat } from '../support/requests.ts';

const BERTH = fileURLToPath(new URL('../../services/berth/src/main.ts', import.meta.url));
const KEYS = { use: 'e2e-key-that-uses', place: 'e2e-key-that-places', displace: 'e2e-key-that-displaces', admin: 'e2e-key-of-an-admin' };
const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const CATALOG = {
  keys: [
    { id: 'use', sha256: sha256(KEYS.use), rights: ['use'] },
    { id: 'place', sha256: sha256(KEYS.place), rights: ['use', 'place'] },
    { id: 'displace', sha256: sha256(KEYS.displace) },
  ],
  adminKeys: [{ id: 'admin', sha256: sha256(KEYS.admin) }],
};

let berth: BerthUnderTest | null = null;

afterEach(async () => {
  await berth?.[Symbol.asyncDispose]();
  berth = null;
});

test('each right does what it says on the whole way, and no key reaches a log', { timeout: 120_000 }, async () => {
  const large = { simulated: { weightsMiB: 14_000 } };
  berth = await startBerth({ models: { first: large, second: large }, catalog: CATALOG });
  const [url = ''] = berth.urls;
  const ask = async (key: string, model: string, prefer = 'wait=60') => {
    const { status, body } = await postChat(url, chatBody(model), { authorization: `Bearer ${key}`, prefer });
    return [status, body.error?.code ?? null];
  };
  expect(await ask('nobody', 'first')).toEqual([401, 'invalid_api_key']);
  expect(await ask(KEYS.use, 'first')).toEqual([403, 'KEY_MAY_NOT_PLACE']);
  expect(await ask(KEYS.place, 'first')).toEqual([200, null]);
  expect(await ask(KEYS.use, 'first')).toEqual([200, null]);
  // There is no room beside the first, and nobody uses it.
  expect(await ask(KEYS.place, 'second', 'wait=3')).toEqual([503, 'NO_CAPACITY_NOW']);
  expect(await ask(KEYS.use, 'first')).toEqual([200, null]);
  const [engine, ...others] = await berth.engines();
  expect(engine?.running).toBe(true);
  expect(others).toEqual([]);
  expect(await ask(KEYS.displace, 'second')).toEqual([200, null]);

  const run = promisify(execFile);
  const status = (env: Readonly<Record<string, string>>) =>
    run(process.execPath, [BERTH, 'status', '--url', url], { env: { PATH: process.env['PATH'] ?? '', ...env } });
  await expect(status({})).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining('BERTH_ADMIN_KEY') });
  expect((await status({ BERTH_ADMIN_KEY: KEYS.admin })).stdout).toContain('second');

  for (const name of ['edge-0.log', 'orchestrator-1.log']) {
    const log = await readFile(join(berth.directory, name), 'utf8');
    expect(log).toContain('"msg"');
    for (const key of Object.values(KEYS)) for (const secret of [key, sha256(key)]) expect(log).not.toContain(secret);
  }
  expect(await readFile(join(berth.directory, 'edge-0.log'), 'utf8')).toContain('"keyId":"displace"');
});
