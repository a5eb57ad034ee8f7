import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { beforeAll, expect, test } from 'vitest';
import { findLeaks } from '../../scripts/leaks.ts';
import { findFreePort } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';

const workspace = fileURLToPath(new URL('../../scripts/workspace.mjs', import.meta.url));
const timeout = 150_000;
const startMs = 60_000;

/** With this machine's whole environment, which may say how the registry is reached. */
beforeAll(() => void execFileSync(process.execPath, [workspace, 'install']));

test('npm start serves simulated models on a bare machine, and Ctrl-C in the terminal leaves nothing behind', { timeout }, async () => {
  await using folder = temporaryFolder();
  await using berth = await startUp(folder.path);
  expect(berth.output()).toMatch(/SIMULATED/);
  expect(berth.output()).toContain(`curl ${berth.url}/v1/chat/completions`);
  expect(berth.output()).toContain(`new OpenAI({ baseURL: '${berth.url}/v1'`);
  const models = await berth.client.models.list();
  expect(models.data.length).toBeGreaterThanOrEqual(3);
  expect(await berth.ask('chat-small')).toContain('simulated');
  // A terminal signals every process of the group.
  process.kill(-berth.pid, 'SIGINT');
  expect(await berth.exitCode).toBe(0);
  expect(findLeaks(folder.path)).toEqual([]);
  expect(existsSync(join(folder.path, '.berth/redis/appendonlydir'))).toBe(true);
});

test('the first Ctrl-C lets a stream in flight go on and the second one ends it at once', { timeout }, async () => {
  await using folder = temporaryFolder();
  await using berth = await startUp(folder.path);
  // vLLM's own parameter: the answer goes on until the last token.
  const endless = { ...chat('chat-small'), stream: true as const, max_tokens: 15_000, ignore_eos: true };
  const stream = await berth.client.chat.completions.create(endless);
  const chunks = stream[Symbol.asyncIterator]();
  await chunks.next();
  process.kill(-berth.pid, 'SIGINT');
  await eventually('new connections to be refused', async () =>
    fetch(`${berth.url}/health/live`).then(
      () => false,
      () => true,
    ),
  );
  expect((await chunks.next()).done).toBe(false);
  await eventually('the second signal to count as one of its own', () => Date.now() - berth.stoppedAtMs() > 1000);
  process.kill(-berth.pid, 'SIGINT');
  await expect(readToEnd(chunks)).rejects.toThrow();
  await berth.exitCode;
  expect(findLeaks(folder.path)).toEqual([]);
});

test('a killed Berth is cleaned up by the next start, which knows what was learned', { timeout }, async () => {
  await using folder = temporaryFolder();
  {
    await using berth = await startUp(folder.path);
    await berth.ask('chat-small');
    process.kill(-berth.pid, 'SIGKILL');
    await berth.exitCode;
  }
  await using berth = await startUp(folder.path);
  const { endpoints } = (await (await fetch(`${berth.url}/admin/v1/state`)).json()) as {
    readonly endpoints: readonly { readonly model: string }[];
  };
  expect(endpoints.map(({ model }) => model)).toEqual(['chat-small']);
  expect(await berth.ask('chat-small')).toContain('simulated');
  process.kill(berth.pid, 'SIGTERM');
  expect(await berth.exitCode).toBe(0);
  expect(findLeaks(folder.path)).toEqual([]);
});

test('a port that is taken is said with the variable that chooses another one', { timeout }, async () => {
  await using folder = temporaryFolder();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const berth = spawnUp(folder.path, port);
  const output = collect(berth);
  const [code] = await once(berth, 'exit');
  server.close();
  expect(code).toBe(1);
  expect(output()).toContain('BERTH_PORT');
  expect(findLeaks(folder.path)).toEqual([]);
});

interface StartedUp extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly client: OpenAI;
  readonly exitCode: Promise<number | null>;
  output(): string;
  /** When it said that it stops; 0 before. */
  stoppedAtMs(): number;
  ask(model: string): Promise<string>;
}

async function startUp(folder: string): Promise<StartedUp> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawnUp(folder, port);
  const output = collect(child);
  let stoppedAtMs = 0;
  child.stdout?.on('data', () => {
    if (stoppedAtMs === 0 && output().includes('stopping:')) stoppedAtMs = Date.now();
  });
  const exitCode = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code));
  });
  const dispose = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-(child.pid ?? 0), 'SIGTERM');
    await exitCode;
  };
  const placing = async (): Promise<boolean> => (await fetch(`${url}/health/placement`).catch(() => null))?.status === 200;
  await eventually(
    'Berth to serve',
    async () => child.exitCode !== null || (output().includes('Try:') && (await placing())),
    startMs,
  ).catch(async (error: unknown) => {
    await dispose();
    throw new Error(`${String(error)}\n${output()}`);
  });
  if (child.exitCode !== null) throw new Error(`Berth ended at its start:\n${output()}`);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0, timeout: 60_000 });
  return {
    pid: child.pid ?? 0,
    url,
    client,
    exitCode,
    output,
    stoppedAtMs: () => stoppedAtMs,
    ask: async (model) => (await client.chat.completions.create({ ...chat(model), max_tokens: 8 })).choices[0]?.message.content ?? '',
    [Symbol.asyncDispose]: dispose,
  };
}

function chat(model: string) {
  return { model, messages: [{ role: 'user' as const, content: 'Hello!' }] };
}

/** As a shell with job control does: in a process group of its own. The environment names no Redis, catalog or Docker engine. */
function spawnUp(folder: string, port: number): ChildProcess {
  const env = { PATH: process.env['PATH'], HOME: folder, BERTH_PORT: String(port), DOCKER_HOST: `unix://${folder}/none.sock` };
  return spawn(process.execPath, [workspace, 'start'], { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
}

function collect(child: ChildProcess): () => string {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr?.setEncoding('utf8').on('data', (part: string) => (text += part));
  return () => text;
}

async function readToEnd(chunks: AsyncIterator<unknown>): Promise<void> {
  while ((await chunks.next()).done !== true);
}

function temporaryFolder(): AsyncDisposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'berth-up-')));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}
