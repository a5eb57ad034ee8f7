import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdminState } from '@berth/contracts';
import { describe, expect, test } from 'vitest';
import { runCommand } from './run-command.ts';

const EMPTY_STATE: AdminState = {
  version: 1,
  nowMs: 0,
  leader: null,
  readingsAvailable: null,
  problems: [],
  gpus: [],
  endpoints: [],
  placements: [],
  claims: [],
  wishes: [],
  quarantines: [],
  edges: [],
  models: [],
};

async function run(args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
  const lines: string[] = [];
  const push = (line: string): number => lines.push(line);
  const exitCode = await runCommand({ args, env: options.env ?? {}, cwd: options.cwd ?? tmpdir(), print: push, complain: push });
  return { exitCode, output: lines.join('\n') };
}

test('says how it is used, and names the commands when there is no such one', async () => {
  expect(await run(['--help'])).toMatchObject({ exitCode: 0, output: expect.stringContaining('berth up') });
  expect(await run(['status', '--help'])).toMatchObject({ exitCode: 0, output: expect.stringContaining('berth status') });
  expect((await run([])).exitCode).toBe(2);
  const unknown = await run(['serve']);
  expect(unknown).toMatchObject({ exitCode: 2, output: expect.stringContaining('orchestrator') });
});

test('an option that does not exist makes no sense', async () => {
  expect(await run(['status', '--verbose'])).toMatchObject({ exitCode: 2, output: expect.stringContaining('--verbose') });
  expect((await run(['stop'])).exitCode).toBe(2);
  expect((await run(['stop', 'a', '--all'])).exitCode).toBe(2);
});

test('check lists every problem of a catalog with its line', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'check-'));
  writeFileSync(join(cwd, 'berth.yaml'), 'models:\n  a: { source: org/a, gpuz: 1 }\n  b: { source: org/b, kvCache: much }\n');
  const { exitCode, output } = await run(['check'], { cwd });
  expect(exitCode).toBe(1);
  expect(output).toMatch(/berth\.yaml:2: .*gpuz/);
  expect(output).toMatch(/berth\.yaml:3: .*kvCache/);
  writeFileSync(join(cwd, 'good.yaml'), 'models:\n  a: { source: org/a }\n');
  expect(await run(['check', join(cwd, 'good.yaml')])).toMatchObject({ exitCode: 0, output: expect.stringContaining('1 model (a)') });
  expect(await run(['check', 'good.yaml'], { cwd })).toMatchObject({ exitCode: 0 });
  rmSync(cwd, { recursive: true });
});

test('the environment is checked before anything is done', async () => {
  const { exitCode, output } = await run(['status'], { env: { BERTH_PORT: 'eighty' } });
  expect(exitCode).toBe(1);
  expect(output).toContain('BERTH_PORT');
});

test('status and stop say how to start Berth where no edge answers', async () => {
  const env = { BERTH_PORT: '1' };
  expect(await run(['status'], { env })).toMatchObject({ exitCode: 1, output: expect.stringContaining('npm start') });
  expect(await run(['stop', '--all'], { env })).toMatchObject({ exitCode: 1, output: expect.stringContaining('http://127.0.0.1:1') });
});

test('status says so when what answers is no edge', async () => {
  const server = createServer((_, response) => response.end('{"hello": 1}')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  // A listening TCP server has an address of this kind.
  const { port } = server.address() as AddressInfo;
  const { exitCode, output } = await run(['status', '--url', `http://127.0.0.1:${port}`]);
  server.close();
  server.closeAllConnections();
  expect(exitCode).toBe(1);
  expect(output).toContain('no edge of this version');
});

describe('of an edge whose catalog has keys', () => {
  const KEY = 'key-of-an-admin-1234';

  /** Answers as an edge does: 401 without the right key, 403 where nobody has one. */
  async function startEdge(status: 401 | 403): Promise<{ readonly url: string } & AsyncDisposable> {
    const error = {
      message: 'berth.yaml has keys and no adminKeys.',
      type: 'invalid_request_error',
      param: null,
      code: 'ADMIN_KEY_NEEDED',
    };
    const server = createServer((request, response) => {
      const known = request.headers.authorization === `Bearer ${KEY}` && status === 401;
      response.writeHead(known ? 200 : status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(known ? EMPTY_STATE : { error }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A listening TCP server has an address of this kind.
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        server.close();
      },
    };
  }

  test.each([['status'], ['stop', '--all']])('%s shows the key of BERTH_ADMIN_KEY', async (...args) => {
    await using edge = await startEdge(401);
    expect(await run([...args, '--url', edge.url], { env: { BERTH_ADMIN_KEY: KEY } })).toMatchObject({ exitCode: 0 });
  });

  test.each([['status'], ['stop', '--all']])('%s says which key to set, and never prints one', async (...args) => {
    await using edge = await startEdge(401);
    const missing = await run([...args, '--url', edge.url]);
    expect(missing).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('Set BERTH_ADMIN_KEY to the key of an entry of adminKeys'),
    });
    const wrong = await run([...args, '--url', edge.url], { env: { BERTH_ADMIN_KEY: 'another-key-1234' } });
    expect(wrong).toMatchObject({ exitCode: 1, output: expect.stringContaining('BERTH_ADMIN_KEY is no admin key') });
    expect(wrong.output).not.toContain('another-key-1234');
  });

  test('says what the catalog lacks where nobody has an admin key', async () => {
    await using edge = await startEdge(403);
    expect(await run(['status', '--url', edge.url])).toMatchObject({ exitCode: 1, output: expect.stringContaining('no adminKeys') });
  });
});

test('check says whether the API is open', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'check-'));
  const models = 'models:\n  a: { source: org/a }\n';
  writeFileSync(join(cwd, 'berth.yaml'), models);
  expect((await run(['check'], { cwd })).output).toContain('no keys: the API is open');
  const entries = `keys:\n  - { id: one, sha256: "${'1'.repeat(64)}" }\n  - { id: two, sha256: "${'2'.repeat(64)}", models: [b] }\nadminKeys: [{ id: root, sha256: "${'3'.repeat(64)}" }]\n`;
  writeFileSync(join(cwd, 'berth.yaml'), models + entries);
  const { exitCode, output } = await run(['check'], { cwd });
  expect(exitCode).toBe(0);
  expect(output).toContain('2 keys, 1 admin key');
  expect(output).toContain('berth.yaml:5: keys[1].models[0]: "b" matches no model');
  rmSync(cwd, { recursive: true });
});
