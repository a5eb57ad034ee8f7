import { installationFileRecord } from '@berth/contracts';
import { asId, OperationalError } from '@berth/core';
import type { InstallationId } from '@berth/core';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFile } from './write-atomically.ts';

/**
 * The installation's id, from `installation.json` in this directory (that of the footprints file). Made at random the first time; of several
 * processes that start at once, all get the same. Throws `INVALID_SETTINGS` when the file is broken or cannot be made: with another id this
 * installation would not know its own containers.
 */
export async function openInstallation(directory: string): Promise<InstallationId> {
  const path = join(directory, 'installation.json');
  try {
    const known = await readInstallation(path);
    if (known !== null) return known;
    const created = { installationId: asId<InstallationId>(randomUUID()), createdAtMs: Date.now() };
    if (await createFile(path, `${installationFileRecord.write(created)}\n`)) return created.installationId;
    const other = await readInstallation(path);
    if (other !== null) return other;
    throw new Error('it was made and removed again by somebody else');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperationalError({
      code: 'INVALID_SETTINGS',
      message: `Cannot use ${path}, which names this installation: ${reason} Make the directory writable, or restore the file.`,
      retryable: false,
      details: { path },
      cause: error,
    });
  }
}

async function readInstallation(path: string): Promise<InstallationId | null> {
  try {
    return installationFileRecord.read(await readFile(path, 'utf8')).installationId;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
