import type { Catalog, ModelSettings } from '@berth/config';
import {
  hubModelPath,
  hubRefPath,
  hubSnapshotPath,
  parseModelSource,
  parseSafetensorsIndex,
  parseWeightsType,
  readFlag,
  weightsBytes,
} from '@berth/vllm';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A model's weights as they lie on this machine. */
export interface WeightsOnDisk {
  readonly bytes: number;
  /** Type of the stored weights, e.g. `bfloat16`; `null`: not told. */
  readonly type: string | null;
}

/**
 * A model's weights where they lie on this machine; `null` where they do not (nothing downloaded yet, another machine's volume, an engine
 * that is not vLLM). `huggingfaceHome` is where this process sees the Hugging Face cache. Never throws: it only serves to refuse early what
 * can not fit.
 */
export async function readWeights(catalog: Catalog, model: ModelSettings, huggingfaceHome: string | null): Promise<WeightsOnDisk | null> {
  if (model.source === null) return null;
  if (model.source.kind === 'path') return readFolder(model.source.path, null);
  const source = parseModelSource(model.source.id);
  if (source.kind === 'path') return null;
  const home = huggingfaceHome ?? catalog.host.huggingfaceCache;
  const revision = readFlag(model.args, 'revision') ?? 'main';
  const snapshots = await list(join(hubModelPath(home, source.modelId), 'snapshots'));
  const refText = await readText(hubRefPath(home, source.modelId, revision));
  const folder = hubSnapshotPath(home, source.modelId, { refText, snapshots }, revision);
  return folder === null ? null : readFolder(folder, source.variant);
}

async function readFolder(folder: string, variant: string | null): Promise<WeightsOnDisk | null> {
  const files = [];
  for (const path of await list(folder)) {
    // The hub's cache holds links to blobs; their targets have the sizes.
    const entry = await stat(join(folder, path)).catch(() => null);
    if (entry?.isFile() === true) files.push({ path, sizeBytes: entry.size });
  }
  const indexText = await readText(join(folder, 'model.safetensors.index.json'));
  const bytes = weightsBytes(files, { index: indexText === null ? null : parseSafetensorsIndex(indexText), variant });
  if (bytes === null) return null;
  const configText = await readText(join(folder, 'config.json'));
  return { bytes, type: configText === null ? null : parseWeightsType(configText) };
}

async function list(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}

async function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
