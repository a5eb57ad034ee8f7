import { flagNames } from './flags.ts';

/** The command line of `vllm serve`, as far as the simulation acts on it. */
export interface EngineArguments {
  model: string;
  /** Never empty: without `--served-model-name` it is the model. */
  servedModelNames: string[];
  host: string;
  port: number;
  /** `auto` and -1 are undefined with `maxModelLenAuto`; not given at all is undefined without it. */
  maxModelLen: number | undefined;
  maxModelLenAuto: boolean;
  kvCacheMemoryBytes: number | undefined;
  gpuMemoryUtilization: number;
  maxNumSeqs: number;
  maxNumBatchedTokens: number;
  maxNumQueuedRequests: number | undefined;
  tensorParallelSize: number;
  enforceEager: boolean;
  enableSleepMode: boolean;
  enableRequestIdHeaders: boolean;
  enableServerLoadTracking: boolean;
  enableForceIncludeUsage: boolean;
  enableAutoToolChoice: boolean;
  runner: string;
  apiKeys: string[];
  shutdownTimeoutMs: number;
  sseKeepAliveMs: number | undefined;
  /** As `non-default args: {…}` prints them. */
  given: Record<string, string | true>;
}

export type ParsedArguments = { kind: 'serve'; arguments: EngineArguments } | { kind: 'version' } | { kind: 'refused'; message: string };

/**
 * Reads the arguments after the program's name; `serve` in front is optional once, as in the official image, whose entrypoint already
 * has it. A refusal carries argparse's text; the program exits 2 with it.
 */
export function parseEngineArguments(argv: readonly string[]): ParsedArguments {
  if (argv[0] === '--version' || argv[0] === '-v') return { kind: 'version' };
  const rest = argv[0] === 'serve' ? argv.slice(1) : argv;
  const flags = new Map<string, string[]>();
  const positional: string[] = [];
  const unknown: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const argument = rest[index] ?? '';
    if (!argument.startsWith('-')) {
      positional.push(argument);
      continue;
    }
    const [name, inline] = splitFlag(argument);
    const kind = flagNames.get(name.split('.')[0] ?? name);
    const values: string[] = inline === undefined ? [] : [inline];
    const limit = kind === 'switch' ? 0 : kind === 'list' ? Number.POSITIVE_INFINITY : 1;
    while (values.length < limit && index + 1 < rest.length && isValue(rest[index + 1] ?? '')) values.push(rest[(index += 1)] ?? '');
    if (kind === undefined) unknown.push(argument, ...values);
    else if (kind !== 'switch' && values.length === 0) return refuse(`argument --${name}: expected one argument`);
    else flags.set(name, [...(kind === 'list' ? (flags.get(name) ?? []) : []), ...values]);
  }
  // The official image's entrypoint has `serve` already; vLLM names the second one.
  if (positional[0] === 'serve') unknown.push(positional.shift() ?? '');
  unknown.push(...positional.slice(1));
  if (unknown.length > 0) return refuse(`unrecognized arguments: ${unknown.join(' ')}`);
  return interpret(positional[0], flags);
}

function interpret(positional: string | undefined, flags: ReadonlyMap<string, string[]>): ParsedArguments {
  const text = (name: string): string | undefined => flags.get(name)?.at(-1);
  const problems: string[] = [];
  const size = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const parsed = parseHumanInteger(value);
    if (parsed === undefined) problems.push(`argument --${name}: invalid human_readable_int value: '${value}'`);
    return parsed;
  };
  const number = (name: string): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (!Number.isFinite(Number(value)) || value === '') problems.push(`argument --${name}: invalid float value: '${value}'`);
    return Number(value);
  };
  const isOn = (name: string): boolean => flags.has(name) && !flags.has(`no-${name}`);
  const model = positional ?? text('model') ?? 'Qwen/Qwen3-0.6B';
  const lengthText = text('max-model-len');
  const maxModelLenAuto = lengthText === 'auto' || lengthText === '-1';
  const parsed: EngineArguments = {
    model,
    servedModelNames: flags.get('served-model-name') ?? [model],
    host: text('host') ?? '0.0.0.0',
    port: number('port') ?? 8000,
    maxModelLen: maxModelLenAuto ? undefined : size('max-model-len'),
    maxModelLenAuto,
    kvCacheMemoryBytes: size('kv-cache-memory-bytes') ?? size('kv-cache-memory'),
    gpuMemoryUtilization: number('gpu-memory-utilization') ?? 0.92,
    maxNumSeqs: number('max-num-seqs') ?? 256,
    maxNumBatchedTokens: size('max-num-batched-tokens') ?? 8192,
    maxNumQueuedRequests: number('max-num-queued-reqs'),
    tensorParallelSize: number('tensor-parallel-size') ?? number('tp') ?? 1,
    enforceEager: isOn('enforce-eager'),
    enableSleepMode: isOn('enable-sleep-mode'),
    enableRequestIdHeaders: isOn('enable-request-id-headers'),
    enableServerLoadTracking: isOn('enable-server-load-tracking'),
    enableForceIncludeUsage: isOn('enable-force-include-usage'),
    enableAutoToolChoice: isOn('enable-auto-tool-choice'),
    runner: text('runner') ?? 'auto',
    apiKeys: flags.get('api-key') ?? [],
    shutdownTimeoutMs: (number('shutdown-timeout') ?? 0) * 1000,
    sseKeepAliveMs: flags.has('sse-keep-alive-interval') ? (number('sse-keep-alive-interval') ?? 0) * 1000 : undefined,
    given: Object.fromEntries(
      [...flags].map(([name, values]) => [name.replaceAll('-', '_'), values.length === 0 ? true : values.join(' ')]),
    ),
  };
  const [problem] = problems;
  return problem === undefined ? { kind: 'serve', arguments: parsed } : refuse(problem);
}

/** vLLM's `human_readable_int`: k, m, g, t are decimal, K, M, G, T binary; a fraction is allowed in front of either. */
export function parseHumanInteger(value: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kKmMgGtT])?$/.exec(value.trim());
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const power = unit === '' ? 0 : 'kmgt'.indexOf(unit.toLowerCase()) + 1;
  const scaled = Number(digits) * (unit === unit.toLowerCase() ? 1000 : 1024) ** power;
  return unit === '' && digits.includes('.') ? undefined : Math.floor(scaled);
}

function refuse(message: string): ParsedArguments {
  return { kind: 'refused', message };
}

/** Underscores in a flag's name count as hyphens (vLLM's FlexibleArgumentParser). */
function splitFlag(argument: string): [string, string | undefined] {
  const at = argument.indexOf('=');
  const flag = at < 0 ? argument : argument.slice(0, at);
  return [flag.replace(/^--?/, '').replaceAll('_', '-'), at < 0 ? undefined : argument.slice(at + 1)];
}

function isValue(argument: string): boolean {
  return !argument.startsWith('-') || /^-\d/.test(argument);
}
