import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';

function writeLines(count: number, end: string): ChildProcess {
  const program = join(import.meta.dirname, 'testing', 'write-lines.ts');
  return spawn(process.execPath, [program, String(count), end], { stdio: ['ignore', 'pipe', 'ignore', 'ipc'] });
}

async function linesOf(child: ChildProcess): Promise<readonly number[]> {
  if (child.stdout === null) throw new TypeError('its output is a pipe');
  const output = await text(child.stdout);
  return output
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { at: number }).at);
}

describe('a process that logs in blocks', () => {
  it.each(['by itself', 'exit', 'throw'])('loses no line and cuts none when it ends (%s)', async (end) => {
    for (const count of [1, 2000]) {
      const lines = await linesOf(writeLines(count, end));
      expect(lines.toSorted((one, other) => one - other)).toEqual(Array.from({ length: count }, (_, at) => at));
    }
  });

  it('writes a fatal line, and what came before it, at once', async () => {
    expect(await linesOf(writeLines(3, 'fatal'))).toEqual([0, 1, 2, 3]);
  });

  it('writes what is pending although nothing follows', async () => {
    const child = writeLines(1, 'stay');
    try {
      const [piece] = (await once(child.stdout ?? child, 'data')) as [Buffer];
      expect(piece.toString()).toContain('"at":0');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('goes on with its work while nobody reads its output', async () => {
    const child = writeLines(5000, 'stay');
    try {
      // The pipe holds 64 KiB of some 500.
      for (let heard = 0; heard < 3; heard += 1) await once(child, 'message');
    } finally {
      child.kill('SIGKILL');
    }
  });
});
