import { hasFlag, readFlag } from '../launch/flag-arguments.ts';
import { isRecord, parseJson } from '../json.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** A CUDA context alone takes 300 to 600 MiB (free against total memory at the start of vLLM 0.23 to 0.29, drivers 535 to 580). */
const LEAST_CONTEXT_MIB = 300;

export interface LeastMemoryOptions {
  /** On disk; `null`: not known, counts as 0. */
  readonly weightsBytes: number | null;
  /** Type of the stored weights, see `parseWeightsType`; `null`: not known. */
  readonly weightsType: string | null;
  /** Per GPU; `null` where the engine sizes it itself. */
  readonly kvCacheBytes: number | null;
  readonly gpuCount: number;
  /** The catalog's `args`. */
  readonly args: readonly string[];
}

/**
 * MiB that a model needs per GPU at the very least: its share of the weights, the pinned KV cache and a CUDA context. A lower bound
 * only, good for refusing at once what can never fit; the real need is measured. Weights may be smaller in memory than on disk:
 * vLLM loads float32 as 16 bits unless told otherwise, quantises on the way when asked to, and can leave some in main memory.
 */
export function leastMemoryMiB(options: LeastMemoryOptions): number {
  const weights = leastWeightsBytes(options) / Math.max(1, options.gpuCount);
  return Math.floor((weights + (options.kvCacheBytes ?? 0)) / MIB) + LEAST_CONTEXT_MIB;
}

/** The type of the weights that `config.json` names, e.g. `bfloat16`; `null` when it names none. */
export function parseWeightsType(configText: string): string | null {
  const config = parseJson(configText);
  if (!isRecord(config)) return null;
  const nested = isRecord(config['text_config']) ? config['text_config'] : {};
  const type = [config['dtype'], config['torch_dtype'], nested['dtype'], nested['torch_dtype']].find((value) => typeof value === 'string');
  return typeof type === 'string' ? type.replace(/^torch\./u, '') : null;
}

function leastWeightsBytes({ weightsBytes, weightsType, args }: LeastMemoryOptions): number {
  if (weightsBytes === null || readFlag(args, 'load-format') === 'dummy') return 0;
  const isWide = weightsType === null || weightsType === 'float32';
  const staysWide = ['float', 'float32'].includes(readFlag(args, 'dtype') ?? '');
  const narrowing = isWide && !staysWide ? 2 : 1;
  const quantising = hasFlag(args, 'quantization') || hasFlag(args, 'q') ? 4 : 1;
  const offloaded = Number(readFlag(args, 'cpu-offload-gb') ?? 0) * GIB;
  return Math.max(0, weightsBytes / narrowing / quantising - (Number.isFinite(offloaded) ? offloaded : weightsBytes));
}
