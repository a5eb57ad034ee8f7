import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from './run-command.ts';

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
