import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { OperationalError } from '@berth/core';
import { endProcess } from '../end-process.ts';
import { isAlive, readProcessIdentity } from '../process-identity.ts';
import type { ProcessIdentity } from '../process-identity.ts';

/** Who runs in a folder: kept on disk, so that the start after a kill finds what is left. */
export interface RunRecord extends Disposable {
  /** Replaces what is noted about one service. */
  note(service: string, identity: ProcessIdentity | null): void;
}

interface RecordedRun {
  readonly supervisor: ProcessIdentity;
  readonly services: Readonly<Record<string, ProcessIdentity>>;
}

/** Services of a killed supervisor end by themselves within this time; then they are ended. */
const leftoverGraceMs = 12_000;

/**
 * Takes the folder for this process. Services that a killed `berth up` left running are ended first. Throws `INVALID_SETTINGS` when another `berth up`
 * runs there.
 */
export async function takeRunRecord(path: string): Promise<RunRecord> {
  const before = readRecord(path);
  if (before !== null && before.supervisor.pid !== process.pid && isAlive(before.supervisor)) {
    throw new OperationalError({
      code: 'INVALID_SETTINGS',
      retryable: false,
      message: `Berth is already running in this folder (process ${before.supervisor.pid}). Stop it, or start this one in another folder.`,
    });
  }
  await Promise.all(Object.values(before?.services ?? {}).map(async (service) => endProcess(service, { graceMs: leftoverGraceMs })));
  const supervisor = readProcessIdentity(process.pid);
  if (supervisor === null) throw new TypeError('this process has no identity');
  const services: Record<string, ProcessIdentity> = {};
  const write = (): void => writeRecord(path, { supervisor, services });
  write();
  return {
    note: (service, identity) => {
      if (identity === null) delete services[service];
      else services[service] = identity;
      write();
    },
    [Symbol.dispose]: () => rmSync(path, { force: true }),
  };
}

function writeRecord(path: string, record: RecordedRun): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`);
  renameSync(`${path}.new`, path);
}

function readRecord(path: string): RecordedRun | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RecordedRun;
  } catch {
    return null;
  }
}
