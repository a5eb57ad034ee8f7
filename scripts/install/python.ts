import { join } from 'node:path';
import { findProgram, runProgram } from '../../services/berth/src/install/run-program.ts';

/** Path of a Python 3.12: `python3.12` or `python3` on the path, else one of pyenv's. `null`: there is none. */
export async function findPython312(env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const name of ['python3.12', 'python3']) {
    const program = findProgram([name], env);
    if (program !== null && (await isPython312(program, env))) return program;
  }
  const pyenv = findProgram(['pyenv'], env);
  if (pyenv === null) return null;
  const [root, versions] = await Promise.all(
    [['root'], ['versions', '--bare']].map((args) => runProgram(pyenv, args, { env, timeoutMs: 10_000 })),
  );
  const version = versions?.output.split('\n').find((line) => /^\s*3\.12\.\d+$/u.test(line));
  if (root === undefined || version === undefined) return null;
  const program = join(root.output.trim(), 'versions', version.trim(), 'bin', 'python3.12');
  return (await isPython312(program, env)) ? program : null;
}

/** A shim of pyenv is there for a version that is not chosen, and fails. */
async function isPython312(program: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const { exitCode, output } = await runProgram(program, ['--version'], { env, timeoutMs: 10_000 });
  return exitCode === 0 && output.startsWith('Python 3.12.');
}
