import { isRecord, parseJson } from '../json.ts';

/** A file of a model's folder. */
export interface WeightFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** What `model.safetensors.index.json` says. */
export interface SafetensorsIndex {
  /** Sum of all tensors, where it says. */
  readonly totalBytes: number | null;
  readonly files: readonly string[];
}

/** Files beside the weights that training leaves behind; vLLM 0.32.0 leaves them out, too. */
const NOT_WEIGHTS = new Set(['training_args.bin', 'optimizer.bin', 'optimizer.pt', 'scheduler.pt', 'scaler.pt']);
/** In the order in which vLLM takes them: the first kind that is there, and no other. */
const KINDS = ['.safetensors', '.bin', '.pt', '.pth'];

/**
 * Bytes of the weights that vLLM would load from this folder: files at its top only, of one kind, safetensors before pickles,
 * `consolidated` copies only when there is nothing else. An index decides where one is given, and counts what is not downloaded
 * yet. Of GGUF files, which are variants of one model, the one named by `variant` (e.g. `Q4_K_M`), else the smallest.
 * `null` when the folder holds no weights.
 */
export function weightsBytes(
  files: readonly WeightFile[],
  options: { readonly index?: SafetensorsIndex | null; readonly variant?: string | null } = {},
): number | null {
  const top = files.filter(({ path }) => !path.includes('/') && !NOT_WEIGHTS.has(path));
  const { index = null, variant = null } = options;
  if (index !== null) return index.totalBytes ?? sumOf(top.filter(({ path }) => index.files.includes(path)));
  for (const kind of KINDS) {
    const ofKind = top.filter(({ path }) => path.endsWith(kind));
    const chosen = withoutCopies(ofKind);
    if (chosen.length > 0) return sumOf(chosen);
  }
  return ggufBytes(files, variant);
}

/** Reads `model.safetensors.index.json`; `null` when it is none. */
export function parseSafetensorsIndex(text: string): SafetensorsIndex | null {
  const index = parseJson(text);
  if (!isRecord(index) || !isRecord(index['weight_map'])) return null;
  const total = isRecord(index['metadata']) ? index['metadata']['total_size'] : null;
  const files = new Set(Object.values(index['weight_map']).filter((file) => typeof file === 'string'));
  return { totalBytes: typeof total === 'number' && total > 0 ? total : null, files: [...files] };
}

function withoutCopies(files: readonly WeightFile[]): readonly WeightFile[] {
  const originals = files.filter(({ path }) => !path.startsWith('consolidated'));
  return originals.length > 0 ? originals : files;
}

/** Variants may be split (`name-00001-of-00003.gguf`) and lie in folders; a projector for images (`mmproj`) is none. */
function ggufBytes(files: readonly WeightFile[], variant: string | null): number | null {
  const sizes = new Map<string, number>();
  for (const { path, sizeBytes } of files) {
    if (!path.endsWith('.gguf') || path.includes('mmproj')) continue;
    if (variant !== null && !path.toLowerCase().includes(variant.toLowerCase())) continue;
    const name = path.replace(/(?:-\d{5}-of-\d{5})?\.gguf$/u, '');
    sizes.set(name, (sizes.get(name) ?? 0) + sizeBytes);
  }
  return sizes.size === 0 ? null : Math.min(...sizes.values());
}

function sumOf(files: readonly WeightFile[]): number | null {
  return files.length === 0 ? null : files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
