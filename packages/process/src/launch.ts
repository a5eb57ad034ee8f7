import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { constants } from 'node:os';
import { OperationalError } from '@berth/core';
import type { EngineFiles } from './run-directory.ts';

/**
 * The launcher records who it is and then becomes the engine: process id, start time and boot id stay the same through `exec`. So an
 * engine without a record cannot exist, whenever Berth dies. `ln` fails when the file is there: of two launchers one goes on.
 */
const LAUNCHER = `
umask 077
started=$1
shift
if [ -r /proc/self/stat ]; then
  read -r birth < "/proc/$$/stat"
  read -r boot < /proc/sys/kernel/random/boot_id
else
  birth=$(ps -o lstart= -p $$)
  boot=$(sysctl -n kern.boottime)
fi
printf '%s\\n%s\\n%s\\n' "$$" "$birth" "$boot" > "$started.$$" || exit 125
ln "$started.$$" "$started" || { rm -f "$started.$$"; exit 125; }
rm -f "$started.$$"
exec "$@"
`;

/** An engine that this process started. */
export interface LaunchedEngine {
  readonly pid: number;
  /** Its exit code, 128 + signal number for a signal. Never rejects. */
  readonly exited: Promise<number>;
  /** SIGKILL, for a launcher that hangs. */
  readonly kill: () => void;
}

/**
 * Starts a command in a session of its own, its output appended to the log. Returns when the launcher runs, before it recorded itself.
 * Throws `ENGINE_START_FAILED` when no process could be started.
 */
export async function launch(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  files: EngineFiles,
): Promise<LaunchedEngine> {
  const log = await open(files.log, 'a', 0o600);
  try {
    const child = spawn('/bin/sh', ['-c', LAUNCHER, 'berth-engine', files.started, ...command], {
      env,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const exited = waitForExit(child);
    const pid = await waitForSpawn(child, command);
    child.unref();
    return { pid, exited, kill: () => child.kill('SIGKILL') };
  } finally {
    await log.close();
  }
}

function waitForExit(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function waitForSpawn(child: ChildProcess, command: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => {
      resolve(child.pid ?? 0);
    });
    child.once('error', (cause) => {
      reject(
        new OperationalError({
          code: 'ENGINE_START_FAILED',
          message: `No process could be started for ${command[0] ?? 'the engine'}: ${cause.message}.`,
          retryable: true,
          cause,
        }),
      );
    });
  });
}
