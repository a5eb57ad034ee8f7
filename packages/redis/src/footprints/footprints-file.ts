import { footprintsFileRecord } from '@berth/contracts';
import { OperationalError } from '@berth/core';
import type { Footprint } from '@berth/core';
import { readFile } from 'node:fs/promises';
import { replaceFile } from './write-atomically.ts';

/**
 * Reads the mirror; empty when there is no file. Throws `FOOTPRINTS_UNREADABLE` for anything but what `writeFootprintsFile` writes: what it
 * may hold took long to learn, so nobody overwrites it.
 */
export async function readFootprintsFile(path: string): Promise<readonly Footprint[]> {
  try {
    return footprintsFileRecord.read(await readFile(path, 'utf8')).footprints;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperationalError({
      code: 'FOOTPRINTS_UNREADABLE',
      message: `Cannot read the learned footprints in ${path}: ${reason} The file is left as it is. Repair it, or move it away to learn anew.`,
      retryable: false,
      details: { path },
      cause: error,
    });
  }
}

/** Replaces the mirror, for people as well as for us: sorted, indented. Never replaces one that cannot be read. */
export async function writeFootprintsFile(path: string, footprints: readonly Footprint[]): Promise<void> {
  await readFootprintsFile(path);
  const sorted = footprints.toSorted((a, b) => sortKey(a).localeCompare(sortKey(b)));
  const value: unknown = JSON.parse(footprintsFileRecord.write({ footprints: sorted }));
  await replaceFile(path, `${JSON.stringify(value, null, 2)}\n`);
}

function sortKey(footprint: Footprint): string {
  return [footprint.model, footprint.gpuProduct, footprint.gpuCount, footprint.signature, footprint.imageId].join(' ');
}
