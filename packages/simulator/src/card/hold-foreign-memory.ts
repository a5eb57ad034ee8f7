import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SimulatorError } from '../errors.ts';

export interface ForeignMemory extends AsyncDisposable {
  readonly pid: number;
  /** Kills the holder; resolves when it is gone. */
  release(): Promise<void>;
}

/**
 * Starts a process that is not ours and holds `mib` of a card. Resolves when the memory is held; throws `PROCESS_FAILED` when the card
 * has no room for it. The memory is free again after `release()`.
 */
export async function holdForeignMemory(request: { stateDirectory: string; gpuUuid: string; mib: number }): Promise<ForeignMemory> {
  const program = fileURLToPath(new URL('hold-memory.ts', import.meta.url));
  const child = spawn(process.execPath, [program, request.gpuUuid, String(request.mib)], {
    env: { SIMULATED_GPU_STATE: request.stateDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const holding = await Promise.race([once(child.stdout, 'data').then(() => true), exited.then(() => false)]);
  if (!holding || child.pid === undefined) throw new SimulatorError('PROCESS_FAILED', `foreign memory was not held: ${errors.trim()}`);
  const release = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return { pid: child.pid, release, [Symbol.asyncDispose]: release };
}
