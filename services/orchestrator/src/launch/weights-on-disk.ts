import type { Catalog, ModelSettings } from '@berth/config';
import { hubSnapshotDirectories, weightsBytes, type ListedFile } from '@berth/vllm';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Bytes of a model's weights where they lie on this machine; `null` where they do not (nothing downloaded yet, another machine's
 * volume, an engine that is not vLLM). Never throws: it only ever serves to refuse early what can not fit.
 */
export async function readWeightsBytes(catalog: Catalog, model: ModelSettings, hubDirectory: string | null): Promise<number | null> {
  if (model.source === null) return null;
  if (model.source.kind === 'path') return sumOf(model.source.path);
  const cache = hubDirectory ?? join(catalog.host.huggingfaceCache, 'hub');
  for (const directory of hubSnapshotDirectories(model.source.id)) {
    const snapshots = await list(join(cache, directory));
    for (const snapshot of snapshots) {
      const found = await sumOf(join(cache, directory, snapshot));
      if (found !== null) return found;
    }
  }
  return null;
}

async function sumOf(directory: string): Promise<number | null> {
  const files: ListedFile[] = [];
  for (const name of await list(directory)) {
    const entry = await stat(join(directory, name)).catch(() => null);
    if (entry?.isFile() === true) files.push({ name, bytes: entry.size });
  }
  return weightsBytes(files);
}

async function list(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}
