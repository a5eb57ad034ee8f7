import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureRedisProgram } from '../install/redis-program.ts';
import { isAlive, readProcessIdentity } from '../process-identity.ts';
import type { ProcessIdentity } from '../process-identity.ts';
import { startPrivateRedis } from './private-redis.ts';

const say = (): void => {};
const env = { PATH: process.env['PATH'] };

test('keeps its data over a restart, refuses to evict and takes nobody without its password', async () => {
  await using folder = temporaryFolder();
  const program = await ensureRedisProgram({ env, say });
  {
    await using redis = await startPrivateRedis({ directory: folder.path, program, env });
    expect(await ask(redis.url, 'SET kept yes')).toContain('+OK');
    expect(await ask(redis.url, 'CONFIG GET maxmemory-policy')).toContain('noeviction');
    expect(await ask(redis.url, 'CONFIG GET appendonly')).toContain('yes');
    const open = new URL(redis.url);
    open.password = '';
    expect(await ask(open.href, 'GET kept')).toContain('NOAUTH');
  }
  await using again = await startPrivateRedis({ directory: folder.path, program, env });
  expect(await ask(again.url, 'GET kept')).toContain('yes');
});

test('stops one that a killed Berth left behind before it starts its own', async () => {
  await using folder = temporaryFolder();
  const program = await ensureRedisProgram({ env, say });
  const script = join(folder.path, 'start-and-die.ts');
  const module = new URL('private-redis.ts', import.meta.url).href;
  const options = JSON.stringify({ directory: folder.path, program, env });
  writeFileSync(script, `await (await import('${module}')).startPrivateRedis(${options}); process.kill(process.pid, 'SIGKILL');`);
  await once(spawn(process.execPath, [script], { stdio: 'ignore' }), 'exit');
  const left = readRecord(folder.path);
  expect(isAlive(left)).toBe(true);
  await using redis = await startPrivateRedis({ directory: folder.path, program, env });
  expect(isAlive(left)).toBe(false);
  expect(await ask(redis.url, 'PING')).toContain('+PONG');
});

test('leaves no process behind, and says with its own words why it could not start', async () => {
  await using folder = temporaryFolder();
  const program = await ensureRedisProgram({ env, say });
  const redis = await startPrivateRedis({ directory: folder.path, program, env });
  const identity = readRecord(folder.path);
  await redis[Symbol.asyncDispose]();
  expect(readProcessIdentity(identity.pid)?.startedAt).not.toBe(identity.startedAt);
  const broken = startPrivateRedis({ directory: folder.path, program: { kind: 'program', path: '/bin/false' }, env });
  await expect(broken).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
});

function temporaryFolder(): AsyncDisposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'berth-redis-'));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function readRecord(directory: string): ProcessIdentity {
  const { process: identity } = JSON.parse(readFileSync(join(directory, 'running.json'), 'utf8')) as { process: ProcessIdentity };
  return identity;
}

async function ask(url: string, command: string): Promise<string> {
  const { hostname, port, password } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.end(`${password === '' ? '' : `AUTH ${password}\r\n`}${command}\r\nQUIT\r\n`);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}
