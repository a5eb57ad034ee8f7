import { badArguments } from './failures.ts';
import type { SmiAnswer } from './failures.ts';

/** What a command line of nvidia-smi asks for. `ids` narrows it to some GPUs (`-i`), by index or UUID. */
export interface SmiRequest {
  kind: 'summary' | 'list' | 'query-gpu' | 'query-compute-apps';
  fields: string[];
  header: boolean;
  units: boolean;
  ids: string[] | undefined;
}

/** Reads a command line of nvidia-smi; a bad one becomes the answer with which the real program refuses it. */
export function parseSmiArguments(args: readonly string[]): SmiRequest | SmiAnswer {
  const request: SmiRequest = { kind: 'summary', fields: [], header: true, units: true, ids: undefined };
  let format: string[] | undefined;
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? '';
    const [name, inline] = splitOnce(argument);
    const value = (): string => inline ?? args[(index += 1)] ?? '';
    if (name === '--query-gpu' || name === '--query-compute-apps') {
      request.kind = name === '--query-gpu' ? 'query-gpu' : 'query-compute-apps';
      request.fields = list(value());
    } else if (name === '--format') format = list(value());
    else if (name === '-i' || name === '--id') request.ids = list(value());
    else if (name === '-L' || name === '--list-gpus') request.kind = 'list';
    else return badArguments(`Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n`);
  }
  if (request.kind === 'summary' || request.kind === 'list') return request;
  if (format?.[0] !== 'csv') {
    return badArguments('"--format=" switch is missing. The --query-* switches need it: --format=csv[,noheader][,nounits].');
  }
  const unknown = format.find((option) => !['csv', 'noheader', 'nounits'].includes(option));
  if (unknown !== undefined) return badArguments(`Format "${unknown}" is not recognized.`);
  return { ...request, header: !format.includes('noheader'), units: !format.includes('nounits') };
}

function list(value: string): string[] {
  return value.split(',').map((part) => part.trim());
}

function splitOnce(argument: string): [string, string | undefined] {
  const at = argument.indexOf('=');
  return argument.startsWith('--') && at > 0 ? [argument.slice(0, at), argument.slice(at + 1)] : [argument, undefined];
}
