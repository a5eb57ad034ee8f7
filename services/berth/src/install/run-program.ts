import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface ProgramResult {
  /** `null` when it could not be started or was ended by a signal. */
  readonly exitCode: number | null;
  /** Standard output and error together, in the order they came. */
  readonly output: string;
}

/** Runs a program to its end. A program that is not there is a result (`exitCode: null`), not an exception. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly timeoutMs: number; readonly onOutput?: (text: string) => void },
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe'], timeout: options.timeoutMs });
    let output = '';
    const take = (text: string): void => {
      output += text;
      options.onOutput?.(text);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => {
      resolve({ exitCode: null, output: `${output}${error.message}` });
    });
    child.on('close', (exitCode) => {
      resolve({ exitCode, output });
    });
  });
}

/** Absolute path of the first of these programs on the path, system folders included; `null`: none of them is there. */
export function findProgram(names: readonly string[], env: NodeJS.ProcessEnv): string | null {
  const folders = [
    ...(env['PATH'] ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/local/bin',
    '/usr/sbin',
    '/usr/bin',
    '/opt/homebrew/bin',
  ];
  for (const name of names) {
    for (const folder of folders) {
      if (folder !== '' && isExecutable(join(folder, name))) return join(folder, name);
    }
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
