import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { endLeak, findLeaks } from './leaks.ts';

test('finds a process by its environment, whoever its parent is, until it was ended', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'leak-')));
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    detached: true,
    env: { SOME_STATE: `${folder}/state` },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const leaks = findLeaks(folder);
  expect(leaks.map(({ pid }) => pid)).toEqual([child.pid]);
  for (const leak of leaks) endLeak(leak);
  await once(child, 'exit');
  expect(findLeaks(folder)).toEqual([]);
  for (const leak of leaks) endLeak(leak);
  rmSync(folder, { recursive: true });
});
