import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

const KILL_AFTER_MS = 5_000;

/** A program that runs beside the benchmark. Disposing it ends it, at last with SIGKILL, and waits until it is gone. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  /** Throws, with what it wrote, when it has ended. */
  assertRunning(): void;
}

export interface ChildOptions {
  /** Takes what it writes. */
  readonly logFile: string;
  /** Over this program's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program and waits until it runs. Throws when there is no such program. */
export async function startChild(program: string, args: readonly string[], { logFile, env }: ChildOptions): Promise<Child> {
  const log = openSync(logFile, 'a');
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
  closeSync(log);
  await once(child, 'spawn');
  const exited = once(child, 'exit');
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? -1,
    assertRunning() {
      if (!isRunning()) throw new Error(`${program} ${args.join(' ')} ended:\n${readFileSync(logFile, 'utf8')}`);
    },
    async [Symbol.asyncDispose]() {
      if (!isRunning()) return;
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await exited;
      clearTimeout(killer);
    },
  };
}
