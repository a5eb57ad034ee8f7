import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { BlockWriter, linesDropped } from './block-writer.ts';

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

  it('ends although its reader is gone', async () => {
    const child = writeLines(2000, 'exit');
    child.stdout?.destroy();
    expect(await once(child, 'exit')).toEqual([0, null]);
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

describe('a block writer', () => {
  it('keeps lines that may come later, and writes them in their order together with one that may not', async () => {
    // The half second never ends.
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const { writer, written } = writerOfFile();
    writeLater(writer, '1\n');
    writeLater(writer, '2\n');
    await new Promise((resolve) => setImmediate(resolve));
    expect(written()).toBe('');
    writer.write('3\n');
    writeLater(writer, '4\n');
    while (written() === '') await new Promise((resolve) => setImmediate(resolve));
    expect(written()).toBe('1\n2\n3\n4\n');
  });

  it('writes what may come later after half a second', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { writer, written } = writerOfFile();
    writeLater(writer, '1\n');
    vi.advanceTimersByTime(499);
    expect(written()).toBe('');
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    expect(await eventually('the line', () => (written() === '' ? null : written()))).toBe('1\n');
  });

  it('writes lines of all sizes whole and in their order', async () => {
    const { writer, written } = writerOfFile();
    const lines = [1, 1000, 60_000, 3000, 70_000, 2, 140_000, 5000].map((length, at) => `${String(at).repeat(length)}\n`);
    for (const [at, line] of lines.entries()) {
      if (at % 2 === 0) writer.write(line);
      else writeLater(writer, line);
    }
    const all = lines.join('');
    await eventually('all to be written', () => written().length >= all.length);
    expect(written()).toBe(all);
  });

  it('counts what it drops because its reader is gone', async () => {
    const { writer } = writerOfFile('r');
    const before = linesDropped();
    writer.write('1\n2\n');
    await eventually('both lines to be dropped', () => linesDropped() === before + 2);
    writer.write('3\n');
    writer.flushSync();
    expect(linesDropped()).toBe(before + 3);
  });

  it('writes everything before it returns when it is told to', () => {
    const { writer, written } = writerOfFile();
    writeLater(writer, '1\n');
    writer.write('2\n');
    writer.flushSync();
    expect(written()).toBe('1\n2\n');
  });
});

function writeLater(writer: BlockWriter, line: string): void {
  const block = writer.later();
  block.beginLine();
  block.appendText(line);
  block.endLine();
}

/** `r`: it cannot be written to. */
function writerOfFile(mode: 'a' | 'r' = 'a'): { writer: BlockWriter; written: () => string } {
  const folder = mkdtempSync(join(tmpdir(), 'berth-log-'));
  const path = join(folder, 'lines.log');
  closeSync(openSync(path, 'a'));
  const fd = openSync(path, mode);
  onTestFinished(() => {
    vi.useRealTimers();
    closeSync(fd);
    rmSync(folder, { recursive: true });
  });
  return { writer: new BlockWriter(fd), written: () => readFileSync(path, 'utf8') };
}
