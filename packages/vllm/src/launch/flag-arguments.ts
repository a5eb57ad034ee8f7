/** A flag of an argument list: its name without hyphens in front, its values, and where it stands. */
export interface FlagArgument {
  readonly name: string;
  readonly values: readonly string[];
  /** Index of the flag itself; its values follow, unless they were joined with `=`. */
  readonly at: number;
}

/** Spellings that vLLM 0.32.0 takes for the same flag. `kv-cache-memory` is what its own log recommends. */
const SAME_FLAG: ReadonlyMap<string, string> = new Map([
  ['kv-cache-memory', 'kv-cache-memory-bytes'],
  ['tp', 'tensor-parallel-size'],
  ['pp', 'pipeline-parallel-size'],
  ['dp', 'data-parallel-size'],
]);

/**
 * All flags of an argument list, in order, as `--flag value`, `--flag=value` and `-f value`. Underscores count as hyphens, and a
 * negative number is a value, as in vLLM's own parser (vLLM 0.32.0). What precedes the first flag belongs to none.
 */
export function listFlags(args: readonly string[]): FlagArgument[] {
  const flags: FlagArgument[] = [];
  for (const [at, argument] of args.entries()) {
    const last = flags.at(-1);
    if (isFlag(argument)) {
      const equals = argument.indexOf('=');
      const spelled = equals === -1 ? argument : argument.slice(0, equals);
      flags.push({ name: flagName(spelled), values: equals === -1 ? [] : [argument.slice(equals + 1)], at });
    } else if (last !== undefined) {
      flags[flags.length - 1] = { ...last, values: [...last.values, argument] };
    }
  }
  return flags;
}

/**
 * The value of a flag, given by its long name without hyphens in front; the last one counts, as in argparse. An empty text for a
 * flag without a value, `null` when it is not given.
 */
export function readFlag(args: readonly string[], name: string): string | null {
  const found = listFlags(args).findLast((flag) => flag.name === name);
  return found === undefined ? null : (found.values[0] ?? '');
}

/** Whether a flag is given at all. */
export function hasFlag(args: readonly string[], name: string): boolean {
  return readFlag(args, name) !== null;
}

/**
 * A whole number as vLLM reads one: `8192`, `4k` = 4000, `4K` = 4096, `25.6k` = 25600. `null` for anything else, a fraction with
 * a binary suffix included (`human_readable_int` of vLLM 0.32.0).
 */
export function parseHumanInteger(text: string): number | null {
  const match = /^(?<digits>\d+(?<fraction>\.\d+)?)(?<suffix>[kmgtKMGT])?$/u.exec(text.trim());
  const { digits = '', fraction, suffix } = match?.groups ?? {};
  if (digits === '') return null;
  if (suffix === undefined) return fraction === undefined ? Number(digits) : null;
  const isBinary = suffix === suffix.toUpperCase();
  if (isBinary && fraction !== undefined) return null;
  const power = 'kmgt'.indexOf(suffix.toLowerCase()) + 1;
  return Math.trunc(Number(digits) * (isBinary ? 1024 : 1000) ** power);
}

function isFlag(argument: string): boolean {
  return /^--?[A-Za-z]/u.test(argument);
}

function flagName(spelled: string): string {
  const name = spelled.replace(/^--?/u, '').replaceAll('_', '-');
  return SAME_FLAG.get(name) ?? name;
}
