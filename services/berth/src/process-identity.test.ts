import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isAlive, readProcessIdentity } from './process-identity.ts';

test('a process is itself, and not another one with its id', () => {
  const self = readProcessIdentity(process.pid);
  expect(self).not.toBeNull();
  expect(isAlive(self ?? { pid: 0, startedAt: '' })).toBe(true);
  expect(isAlive({ pid: process.pid, startedAt: 'another time' })).toBe(false);
});

test('a process that has ended is not alive', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const identity = readProcessIdentity(child.pid ?? -1);
  expect(identity).not.toBeNull();
  child.stdin.end();
  await once(child, 'exit');
  expect(isAlive(identity ?? { pid: 0, startedAt: '' })).toBe(false);
  expect(readProcessIdentity(identity?.pid ?? 0)).toBeNull();
});
