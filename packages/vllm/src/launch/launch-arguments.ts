import { hasFlag, parseHumanInteger, readFlag } from './flag-arguments.ts';
import { abilitiesOf } from './flags-by-version.ts';
import type { VllmVersion } from './flags-by-version.ts';
import { refuseOwnedFlags } from './owned-flags.ts';

export interface LaunchOptions {
  /** Model id on the hub, or a path as the engine sees it. */
  readonly source: string;
  /** The model's own name, then its aliases. vLLM answers with the first. */
  readonly servedNames: readonly string[];
  /** The catalog's `args`. */
  readonly args: readonly string[];
  /** KV cache per GPU: the catalog's, or more where an earlier start taught that more is needed. */
  readonly kvCacheBytes: number;
  /** 0: on the CPU. */
  readonly gpuCount: number;
  /** A number, or `{port}` for the runtime to fill in. */
  readonly port: number | '{port}';
  /** `0.0.0.0` in a container, `127.0.0.1` as a process of this machine. */
  readonly host: '0.0.0.0' | '127.0.0.1';
  /** `null`: unknown, counts as the newest. */
  readonly version: VllmVersion | null;
}

/**
 * Enough to pass the check of free memory at start, which the engine does whether or not the KV cache is pinned, and which asks for
 * this share of the card to be free. It sizes nothing once the cache is pinned (vLLM 0.23 to 0.32).
 */
const UTILIZATION_TO_PASS_ADMISSION = '0.02';

const PARALLEL_FLAGS = ['tensor-parallel-size', 'pipeline-parallel-size', 'data-parallel-size'];

/**
 * The arguments after `vllm serve`: the model first, then what Berth adds, then the catalog's own, which win. Berth pins the KV
 * cache, because by default the engine takes 92 % of the card whatever the model, so nothing could be learned or packed; lets the
 * cache decide the context length unless `args` name one (not on the CPU, where `auto` silently means 512 tokens); and splits the
 * model over its GPUs unless `args` say how. A file given with vLLM's `--config` ranks below all of these. Throws `INVALID_CATALOG` for flags that are Berth's to set.
 */
export function launchArguments(options: LaunchOptions): string[] {
  refuseOwnedFlags(options.args);
  return [
    options.source,
    '--host',
    options.host,
    '--port',
    String(options.port),
    '--served-model-name',
    ...options.servedNames,
    ...kvCacheArguments(options),
    ...contextArguments(options),
    ...parallelArguments(options),
    ...options.args,
  ];
}

/**
 * KV cache per GPU in bytes that these options pin; `null` when the engine sizes it by its own way: `args` give a memory
 * utilization or a number of blocks, name a size that cannot be read, or the version cannot pin.
 */
export function pinnedKvCacheBytes(options: Pick<LaunchOptions, 'args' | 'kvCacheBytes' | 'version'>): number | null {
  const given = readFlag(options.args, 'kv-cache-memory-bytes');
  if (given !== null) return parseHumanInteger(given);
  return sizesItself(options) ? null : options.kvCacheBytes;
}

function sizesItself({ args, version }: Pick<LaunchOptions, 'args' | 'version'>): boolean {
  return hasFlag(args, 'gpu-memory-utilization') || hasFlag(args, 'num-gpu-blocks-override') || !abilitiesOf(version).pinsKvCache;
}

function kvCacheArguments(options: LaunchOptions): string[] {
  const passAdmission = ['--gpu-memory-utilization', UTILIZATION_TO_PASS_ADMISSION];
  if (hasFlag(options.args, 'kv-cache-memory-bytes')) return hasFlag(options.args, 'gpu-memory-utilization') ? [] : passAdmission;
  return sizesItself(options) ? [] : ['--kv-cache-memory-bytes', String(options.kvCacheBytes), ...passAdmission];
}

function contextArguments({ args, gpuCount, version }: LaunchOptions): string[] {
  const isLeftToEngine = gpuCount === 0 || hasFlag(args, 'max-model-len') || !abilitiesOf(version).fitsContext;
  return isLeftToEngine ? [] : ['--max-model-len', 'auto'];
}

function parallelArguments({ args, gpuCount }: LaunchOptions): string[] {
  if (gpuCount <= 1 || PARALLEL_FLAGS.some((flag) => hasFlag(args, flag))) return [];
  return ['--tensor-parallel-size', String(gpuCount)];
}
