import { open } from 'node:fs/promises';
import { isFileError } from './run-directory.ts';

const MOST_BYTES = 4 * 1024 * 1024;

/** The last lines of a file, oldest first, from its last 4 MiB. Empty when there is no such file. */
export async function readLogTail(file: string, lines: number): Promise<readonly string[]> {
  let handle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return [];
    throw error;
  }
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - MOST_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    const all = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/);
    if (all.at(-1) === '') all.pop();
    return lines <= 0 ? [] : all.slice(-lines);
  } finally {
    await handle.close();
  }
}
