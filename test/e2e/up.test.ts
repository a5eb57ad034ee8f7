import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { findLeaks } from '../../scripts/leaks.ts';
import { eventually } from '../support/eventually.ts';
import { fakeEngineArguments } from '../support/fake-engine.ts';
import { collectOutput, helloTo, spawnUp, startUp, temporaryFolder, WORKSPACE_SCRIPT } from '../support/up.ts';

const timeout = 150_000;

/** With this machine's whole environment, which may say how the registry is reached. */
beforeAll(() => void execFileSync(process.execPath, [WORKSPACE_SCRIPT, 'install']));

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
  const endless = { ...helloTo('chat-small'), stream: true as const, max_tokens: 15_000, ignore_eos: true };
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

test('Ctrl-C right after the orchestrator was killed leaves nothing behind', { timeout }, async () => {
  await using folder = temporaryFolder();
  await using berth = await startUp(folder.path);
  await berth.ask('chat-small');
  const record = readFileSync(join(folder.path, '.berth/run/up.json'), 'utf8');
  const pid = Number(/"orchestrator":\s*\{\s*"pid":\s*(\d+)/.exec(record)?.[1]);
  process.kill(pid, 'SIGKILL');
  await eventually('the end of the orchestrator to be seen', () => berth.output().includes('the orchestrator ended by SIGKILL'));
  process.kill(-berth.pid, 'SIGINT');
  expect(await berth.exitCode).toBe(0);
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

test('a catalog of models that run on the CPU is served without a GPU, and nothing counts as degraded', { timeout }, async () => {
  await using folder = temporaryFolder();
  const catalogPath = join(folder.path, 'berth.yaml');
  const engine = fileURLToPath(new URL('../support/fake-engine.ts', import.meta.url));
  const plain = { engine: 'openai', gpus: 0, command: [process.execPath, engine], args: fakeEngineArguments() };
  writeFileSync(catalogPath, stringify({ host: { runtime: 'process' }, models: { one: plain, two: plain } }));
  await using berth = await startUp(folder.path, { BERTH_CONFIG: catalogPath });
  for (const model of ['one', 'two']) {
    const answer = await fetch(`${berth.url}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(helloTo(model)) });
    expect(await answer.text()).toBe('ok');
  }
  const health: unknown = await (await fetch(`${berth.url}/health/placement`)).json();
  expect(health).toEqual({ status: 'ok', problems: [], degraded: [] });
  process.kill(-berth.pid, 'SIGINT');
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
  const output = collectOutput(berth);
  const [code] = await once(berth, 'exit');
  server.close();
  expect(code).toBe(1);
  expect(output()).toContain('BERTH_PORT');
  expect(findLeaks(folder.path)).toEqual([]);
});

async function readToEnd(chunks: AsyncIterator<unknown>): Promise<void> {
  while ((await chunks.next()).done !== true);
}
