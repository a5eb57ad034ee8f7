import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OperationalError } from '@berth/core';
import type { ProcessBirth } from './process-table.ts';
import { parseStat } from './process-table.ts';

/** What is written when an engine is created. */
export interface EngineRecord {
  readonly name: string;
  readonly installationId: string;
  readonly hostId: string;
  /** As `formatEngineIdentity` writes it, with the port that was chosen. */
  readonly identity: string;
  readonly port: number;
  readonly command: readonly string[];
  /** `null` once it was started: secrets stay on the disk no longer than they are needed. */
  readonly env: Readonly<Record<string, string>> | null;
}

/** What the launcher leaves of an engine that was started. */
export interface StartedEngine extends ProcessBirth {
  readonly startedAtMs: number;
}

/** The files of one engine. */
export interface EngineFiles {
  readonly record: string;
  readonly started: string;
  readonly exit: string;
  readonly log: string;
}

/** The directory that holds records and logs of engines: `NAME.json`, `.started`, `.exit` and `.log`, readable by this user only. */
export interface RunDirectory {
  readonly path: string;
  filesOf(name: string): EngineFiles;
  readRecord(name: string): Promise<EngineRecord | null>;
  writeRecord(record: EngineRecord): Promise<void>;
  listNames(): Promise<readonly string[]>;
  /** `null` until the launcher recorded itself. */
  readStarted(name: string): Promise<StartedEngine | null>;
  /** `null` where nobody was there to see it end. */
  readExitCode(name: string): Promise<number | null>;
  writeExitCode(name: string, exitCode: number): Promise<void>;
  removeFiles(name: string): Promise<void>;
}

/** Opens the directory and creates it if it is missing. Names are checked: one that could leave the directory is refused. */
export async function openRunDirectory(path: string): Promise<RunDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const filesOf = (name: string): EngineFiles => {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
      throw new OperationalError({
        code: 'ENGINE_START_FAILED',
        message: `"${name}" is no name for an engine: letters, digits, "_", "." and "-" only, and a letter or digit first.`,
        retryable: false,
      });
    }
    const base = join(path, name);
    return { record: `${base}.json`, started: `${base}.started`, exit: `${base}.exit`, log: `${base}.log` };
  };
  return {
    path,
    filesOf,
    async readRecord(name) {
      const text = await readIfThere(filesOf(name).record);
      return text === null ? null : parseRecord(name, text);
    },
    writeRecord: (record) => writeAtomically(filesOf(record.name).record, JSON.stringify({ version: 1, ...record })),
    async listNames() {
      return (await readdir(path)).filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
    },
    async readStarted(name) {
      const file = filesOf(name).started;
      const text = await readIfThere(file);
      if (text === null) return null;
      const [pid, birth = '', bootId = ''] = text.split('\n');
      const { mtimeMs } = await stat(file);
      return {
        pid: Number(pid),
        startTime: parseStat(birth)?.startTime ?? birth.trim(),
        bootId: bootId.trim(),
        startedAtMs: Math.round(mtimeMs),
      };
    },
    async readExitCode(name) {
      const text = await readIfThere(filesOf(name).exit);
      return text === null ? null : Number(text);
    },
    writeExitCode: (name, exitCode) => writeAtomically(filesOf(name).exit, String(exitCode)),
    async removeFiles(name) {
      const { record, ...others } = filesOf(name);
      for (const file of Object.values(others)) await rm(file, { force: true });
      await rm(record, { force: true }); // last: a record without the rest is still found and removed again
    },
  };
}

function parseRecord(name: string, text: string): EngineRecord {
  const value = JSON.parse(text) as Partial<EngineRecord>;
  return {
    name,
    installationId: value.installationId ?? '',
    hostId: value.hostId ?? '',
    identity: value.identity ?? '',
    port: value.port ?? 0,
    command: value.command ?? [],
    env: value.env ?? null,
  };
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return null;
    throw error;
  }
}

async function writeAtomically(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}.draft`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, file);
}

/** True for a failed file operation with that code. */
export function isFileError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
