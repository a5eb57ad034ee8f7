import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import OpenAI from 'openai';
import { findFreePort } from './berth.ts';
import { eventually } from './eventually.ts';

/** The script behind `npm start`, `npm test` and `npm run berth`. */
export const WORKSPACE_SCRIPT = fileURLToPath(new URL('../../scripts/workspace.mjs', import.meta.url));

const START_MS = 60_000;

/** Berth as `npm start` runs it: Redis, orchestrator and edge, in a process group of its own. */
export interface StartedUp extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly client: OpenAI;
  readonly exitCode: Promise<number | null>;
  output(): string;
  /** When it said that it stops; 0 before. */
  stoppedAtMs(): number;
  ask(model: string): Promise<string>;
}

/** Starts it in a folder and waits until it serves. The environment names no Redis, catalog or Docker engine, unless `env` does. */
export async function startUp(folder: string, env: Readonly<Record<string, string>> = {}): Promise<StartedUp> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawnUp(folder, port, env);
  const output = collectOutput(child);
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
    START_MS,
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
    ask: async (model) => (await client.chat.completions.create({ ...helloTo(model), max_tokens: 8 })).choices[0]?.message.content ?? '',
    [Symbol.asyncDispose]: dispose,
  };
}

/** The shortest chat. */
export function helloTo(model: string) {
  return { model, messages: [{ role: 'user' as const, content: 'Hello!' }] };
}

/** As a shell with job control does: in a process group of its own. */
export function spawnUp(folder: string, port: number, more: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { PATH: process.env['PATH'], HOME: folder, BERTH_PORT: String(port), DOCKER_HOST: `unix://${folder}/none.sock`, ...more };
  return spawn(process.execPath, [WORKSPACE_SCRIPT, 'start'], { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** All that it wrote so far, to stdout and stderr. */
export function collectOutput(child: ChildProcess): () => string {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr?.setEncoding('utf8').on('data', (part: string) => (text += part));
  return () => text;
}

/** A folder that is removed when it is disposed. Its name marks every process that was started in it. */
export function temporaryFolder(): AsyncDisposable & { readonly path: string } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'berth-up-')));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}
