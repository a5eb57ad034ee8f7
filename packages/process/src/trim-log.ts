import { open } from 'node:fs/promises';
import { isFileError } from './run-directory.ts';

/** What stays: more than any reader of a log asks for. */
const KEPT_BYTES = 4 * 1024 * 1024;

/**
 * Cuts a log that has grown over `limitBytes` down to its last 4 MiB of whole lines. The engine keeps its file open for appending, so it
 * goes on behind what stays; what it writes in the instant of the cut is lost.
 */
export async function trimLog(file: string, limitBytes: number): Promise<void> {
  let handle;
  try {
    handle = await open(file, 'r+');
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size <= limitBytes) return;
    const kept = Math.min(size, KEPT_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(kept), 0, kept, size - kept);
    const tail = buffer.subarray(buffer.indexOf(0x0a) + 1, bytesRead);
    await handle.truncate(0);
    await handle.write(tail, 0, tail.length, 0);
  } finally {
    await handle.close();
  }
}
