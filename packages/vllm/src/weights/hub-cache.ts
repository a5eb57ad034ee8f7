/** What a source names: a model on the hub (with a GGUF variant, if any), or a path of this machine. */
export type ModelSource =
  | { readonly kind: 'hub'; readonly modelId: string; readonly variant: string | null }
  | { readonly kind: 'path'; readonly path: string };

/** What lies in a model's folder of the cache. */
export interface HubListing {
  /** Text of `refs/<revision>`; `null` when there is no such file. */
  readonly refText: string | null;
  /** Names of the folders under `snapshots`. */
  readonly snapshots: readonly string[];
}

/** `org/name` and `org/name:Q4_K_M` are on the hub; what begins with `/`, `.` or `~`, or has another form, is a path. */
export function parseModelSource(source: string): ModelSource {
  const match = /^(?<modelId>[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)?)(?::(?<variant>[\w.-]+))?$/u.exec(source);
  const { modelId, variant } = match?.groups ?? {};
  return modelId === undefined ? { kind: 'path', path: source } : { kind: 'hub', modelId, variant: variant ?? null };
}

/** Folder of a model in a Hugging Face cache (`HF_HOME`), with its `refs` and `snapshots` (huggingface_hub, cache layout). */
export function hubModelPath(cacheDirectory: string, modelId: string): string {
  return `${cacheDirectory.replace(/\/+$/u, '')}/hub/models--${modelId.replaceAll('/', '--')}`;
}

/** The file that names the commit of a revision. */
export function hubRefPath(cacheDirectory: string, modelId: string, revision = 'main'): string {
  return `${hubModelPath(cacheDirectory, modelId)}/refs/${revision}`;
}

/**
 * Folder with the files of a model that the cache holds: the commit that the revision names, or the revision itself if it is a
 * commit that is there. `null` when it holds neither: another commit would be another model.
 */
export function hubSnapshotPath(cacheDirectory: string, modelId: string, listing: HubListing, revision = 'main'): string | null {
  const commit = [listing.refText?.trim(), revision].find((name) => name !== undefined && listing.snapshots.includes(name));
  return commit === undefined ? null : `${hubModelPath(cacheDirectory, modelId)}/snapshots/${commit}`;
}
