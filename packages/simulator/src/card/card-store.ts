import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isProcessLockHeld, removeProcessLock } from './process-lock.ts';
import { readFaults } from './state-directory.ts';

/**
 * The one record of who holds how much of which card: an SQLite file, because its transactions and locks work between containers
 * that share a directory, and a killed writer leaves neither a lock nor half a change behind.
 */
export interface CardStore {
  /** Runs `change` alone on the machine, with dead processes swept out first. What it throws undoes all it did. */
  transact<Result>(change: (database: DatabaseSync) => Result): Result;
  [Symbol.dispose](): void;
}

const schema = `
  CREATE TABLE IF NOT EXISTS process (
    id TEXT PRIMARY KEY, container_id TEXT, pid INTEGER NOT NULL, pid_namespace TEXT NOT NULL, start_ticks TEXT NOT NULL,
    name TEXT NOT NULL, label TEXT NOT NULL, slow_release_ms INTEGER NOT NULL, started_at_ms INTEGER NOT NULL,
    died_at_ms INTEGER, gone INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS allocation (
    process_id TEXT NOT NULL, gpu_uuid TEXT NOT NULL, used_mib INTEGER NOT NULL, peak_mib INTEGER NOT NULL,
    PRIMARY KEY (process_id, gpu_uuid));
  CREATE TABLE IF NOT EXISTS card_peak (gpu_uuid TEXT PRIMARY KEY, used_mib INTEGER NOT NULL);
`;

/** Opens the store of a state directory, creating it on first use. `ownId` is spared the check for life: the caller lives. */
export function openCardStore(stateDirectory: string, ownId?: string): CardStore {
  const path = join(stateDirectory, 'card.sqlite');
  const created = !existsSync(path);
  const database = new DatabaseSync(path, { timeout: 10_000 });
  if (created) chmodSync(path, 0o666);
  // Nothing here has to survive a power loss, and a rollback journal needs no sync to survive a killed process.
  database.exec('PRAGMA synchronous = OFF');
  return {
    transact: (change) => {
      database.exec('BEGIN IMMEDIATE');
      try {
        database.exec(schema);
        sweep(database, stateDirectory, ownId);
        const result = change(database);
        database.exec('COMMIT');
        return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    [Symbol.dispose]: () => database.close(),
  };
}

/** Rows of the gone that are kept: tests read their peaks. */
const keptHistory = 500;

/** Notices deaths and, after the slow release, gives their memory back. */
function sweep(database: DatabaseSync, stateDirectory: string, ownId: string | undefined): void {
  const nowMs = Date.now();
  const cardSlowReleaseMs = readFaults(stateDirectory).slowReleaseMs ?? 0;
  for (const row of database.prepare('SELECT id, died_at_ms, slow_release_ms FROM process WHERE gone = 0').all()) {
    const id = String(row['id']);
    if (id === ownId) continue;
    let diedAtMs = row['died_at_ms'] === null ? undefined : Number(row['died_at_ms']);
    if (diedAtMs === undefined) {
      if (isProcessLockHeld(stateDirectory, id)) continue;
      diedAtMs = nowMs;
      database.prepare('UPDATE process SET died_at_ms = ? WHERE id = ?').run(nowMs, id);
      removeProcessLock(stateDirectory, id);
    }
    if (nowMs >= diedAtMs + Math.max(cardSlowReleaseMs, Number(row['slow_release_ms']))) {
      database.prepare('UPDATE process SET gone = 1 WHERE id = ?').run(id);
      database.prepare('UPDATE allocation SET used_mib = 0 WHERE process_id = ?').run(id);
      forgetOldest(database);
    }
  }
}

function forgetOldest(database: DatabaseSync): void {
  const newest = database.prepare('SELECT MAX(rowid) AS newest FROM process').get();
  database.prepare('DELETE FROM process WHERE gone = 1 AND rowid <= ?').run(Number(newest?.['newest'] ?? 0) - keptHistory);
  database.exec('DELETE FROM allocation WHERE process_id NOT IN (SELECT id FROM process)');
}
