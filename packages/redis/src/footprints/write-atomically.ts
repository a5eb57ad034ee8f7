import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';

/**
 * Replaces a file as a whole: whoever reads it, also after a crash or on a full disk, finds the old text or the new one. Rejects with the
 * file system's error, the old file untouched.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await withTemporary(path, text, (temporary) => rename(temporary, path));
}

/** Creates a file with this text unless there is one. False when there is. */
export async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await withTemporary(path, text, (temporary) => link(temporary, path));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Writes beside the file, since only within one directory is a rename atomic, and syncs text and directory. */
async function withTemporary(path: string, text: string, publish: (temporary: string) => Promise<void>): Promise<void> {
  const directory = dirname(path);
  await mkdir(directory, { recursive: true });
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await using file = await open(temporary, 'wx');
    await file.writeFile(text);
    await file.sync();
    await publish(temporary);
  } finally {
    await rm(temporary, { force: true });
  }
  await using handle = await open(directory, 'r');
  await handle.sync();
}
