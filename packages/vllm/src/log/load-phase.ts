import { parseLogLines } from './log-line.ts';
import type { LogLine } from './log-line.ts';

/** Phases of a load, in order. `created`: the engine has written nothing yet; `listening`: it answers, `/health` is worth asking. */
export const LOAD_PHASES = [
  'created',
  'importing',
  'downloading',
  'weights',
  'compiling',
  'profiling',
  'kv-cache',
  'graphs',
  'warming-up',
  'listening',
] as const;
export type LoadPhase = (typeof LOAD_PHASES)[number];

export interface LoadProgress {
  readonly phase: LoadPhase;
  /** 0..1 within the phase, where the log counts. */
  readonly fraction: number | null;
}

interface Sign {
  readonly phase: LoadPhase;
  readonly pattern: RegExp;
}

/**
 * What tells a phase, in the order in which an engine passes these points (vLLM 0.28 to 0.32). The loader starts before it
 * downloads, and downloads without a word unless the hub's own progress bars are on, so a silent download shows as `weights`
 * without a fraction. Texts that also stand in settings printed at the start (`torch.compile`, `warmup`) are matched with more
 * of their line.
 */
const SIGNS: readonly Sign[] = [
  { phase: 'importing', pattern: /\S/u },
  { phase: 'weights', pattern: /^Starting to load model/u },
  { phase: 'downloading', pattern: /^(?:Fetching \d+ files|Download(?:ing)? ?.*|\S+\.(?:safetensors|bin|pt|gguf)): +\d+%/u },
  {
    phase: 'weights',
    pattern: /^Time spent downloading weights|^Filesystem type for checkpoints|^Loading weights (?:took|with)|^Model loading took/u,
  },
  { phase: 'weights', pattern: /[Ll]oading .*% Completed \| /u },
  {
    phase: 'compiling',
    pattern: /^Dynamo bytecode transform|^Compiling a graph|for vLLM's torch\.compile$|^Directly load|^torch\.compile (?:took|takes)/u,
  },
  { phase: 'profiling', pattern: /^Initial profiling|^Profiling CUDA graph memory|^Estimated CUDA graph memory|^Memory profiling takes/u },
  {
    phase: 'kv-cache',
    pattern: /^Available KV cache memory|for KV Cache as specified|GiB for KV cache on node|^Auto-fit max_model_len|^\w+ KV cache size/u,
  },
  { phase: 'graphs', pattern: /^Capturing CUDA graphs|^Graph capturing finished|^CUDA graph pool memory/u },
  { phase: 'warming-up', pattern: /^init engine \(|^Supported[_ ]tasks|^Starting vLLM (?:API )?server/u },
  { phase: 'listening', pattern: /^Application startup complete/u },
];

const COUNTED = /(?:\| *|: +)(?<done>\d+)\/(?<all>\d+) \[/u;

/**
 * The phase that a load has reached, and how far it is within it: the furthest point that any line tells, so that the lines of
 * several workers do not make it jump back. `lines` may begin anywhere.
 */
export function parseLoadPhase(lines: readonly string[]): LoadProgress {
  let reached = -1;
  let fraction: number | null = null;
  for (const line of parseLogLines(lines)) {
    const at = furthestSign(line);
    if (at < reached || at === -1) continue;
    const isSamePhase = reached >= 0 && SIGNS[at]?.phase === SIGNS[reached]?.phase;
    fraction = fractionOf(line) ?? (isSamePhase ? fraction : null);
    reached = at;
  }
  return { phase: SIGNS[reached]?.phase ?? 'created', fraction };
}

function furthestSign({ text }: LogLine): number {
  return SIGNS.findLastIndex(({ pattern }) => pattern.test(text));
}

function fractionOf({ text }: LogLine): number | null {
  const { done, all } = COUNTED.exec(text)?.groups ?? {};
  if (done === undefined || Number(all) === 0) return null;
  return Math.min(1, Number(done) / Number(all));
}
