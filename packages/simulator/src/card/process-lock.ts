import { mkdirSync, chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * A sign of life that the kernel takes away: SQLite's file lock, which ends with its process however that ends. Unlike a process id it
 * means the same in every container that shares the state directory.
 */
export interface ProcessLock {
  release(): void;
}

/** Takes the sign of life named `id`; held until released or until this process ends. */
export function holdProcessLock(stateDirectory: string, id: string): ProcessLock {
  const path = lockPath(stateDirectory, id);
  const database = new DatabaseSync(path, { timeout: 0 });
  database.exec('BEGIN EXCLUSIVE');
  chmodSync(path, 0o666);
  return {
    release: () => {
      database.close();
      rmSync(path, { force: true });
    },
  };
}

/** Whether the holder of `id` lives. Two callers at once may see each other instead: call it under the card's own lock only. */
export function isProcessLockHeld(stateDirectory: string, id: string): boolean {
  const path = lockPath(stateDirectory, id);
  if (!existsSync(path)) return false;
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN IMMEDIATE');
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    database.close();
  }
}

/** Forgets a dead holder. */
export function removeProcessLock(stateDirectory: string, id: string): void {
  rmSync(lockPath(stateDirectory, id), { force: true });
}

function lockPath(stateDirectory: string, id: string): string {
  const directory = join(stateDirectory, 'processes');
  if (!existsSync(directory)) {
    mkdirSync(directory, { recursive: true });
    chmodSync(directory, 0o777);
  }
  return join(directory, `${id}.lock`);
}

/** SQLITE_BUSY is 5 in every SQLite version. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}
