import { spawn } from 'node:child_process';

/** Runs a program with this one's output, until it ends, until `timeoutMs` is over (SIGKILL) or `signal` aborts (SIGTERM). Never rejects. */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly env: NodeJS.ProcessEnv;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly say: (line: string) => void;
  },
): Promise<{ readonly exitCode: number | null }> {
  const { cwd, env, timeoutMs, signal, say } = options;
  if (signal.aborted) return { exitCode: null };
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'], timeout: timeoutMs, killSignal: 'SIGKILL' });
    const end = (): void => {
      child.kill('SIGTERM');
    };
    signal.addEventListener('abort', end);
    child.on('error', (error) => {
      say(error.message);
      resolve({ exitCode: null });
    });
    child.on('exit', (exitCode) => {
      signal.removeEventListener('abort', end);
      resolve({ exitCode });
    });
  });
}
