import { spawn } from 'node:child_process';
import type { CommandResult, NvidiaSmiRunner } from '@berth/core';
import { OperationalError } from '@berth/core';

export interface LocalNvidiaSmiOptions {
  /** The program's path, or its name to be found on the PATH of `env`. */
  readonly path?: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Runs nvidia-smi of this machine; it sees every process here. One that does not end in time is killed and not waited for. */
export function createLocalNvidiaSmi(options: LocalNvidiaSmiOptions): NvidiaSmiRunner {
  const program = options.path ?? 'nvidia-smi';
  return {
    run: (args, { timeoutMs }) =>
      new Promise<CommandResult>((resolve, reject) => {
        const child = spawn(program, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] });
        const output = { stdout: '', stderr: '' };
        for (const stream of ['stdout', 'stderr'] as const) {
          child[stream].setEncoding('utf8').on('data', (text: string) => {
            output[stream] += text;
          });
        }
        const timer = setTimeout(() => {
          child.kill('SIGKILL');
          child.stdout.destroy(); // a process stuck in the driver ends neither by SIGKILL nor its output
          child.stderr.destroy();
          child.unref();
          reject(
            new OperationalError({
              code: 'GPU_PROBE_FAILED',
              message: `${program} did not answer within ${timeoutMs} ms and was killed. Run it by hand: a driver that hangs needs a reset of the GPU or a reboot.`,
              retryable: true,
              details: { program, timeoutMs },
            }),
          );
        }, timeoutMs);
        child.once('error', (cause) => {
          clearTimeout(timer);
          reject(
            new OperationalError({
              code: 'GPU_PROBE_FAILED',
              message: `${program} cannot be run (${cause.message}). Install the NVIDIA driver, or put nvidia-smi on the PATH that Berth is started with.`,
              retryable: false,
              details: { program },
              cause,
            }),
          );
        });
        child.once('close', (code) => {
          clearTimeout(timer);
          resolve({ exitCode: code ?? 255, ...output });
        });
      }),
  };
}
