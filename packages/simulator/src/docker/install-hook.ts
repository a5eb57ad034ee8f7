import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeLauncher } from '../launcher.ts';

/**
 * Installs the stand-in for the NVIDIA container hook into `binDirectory`. A dockerd that finds it on its PATH when it starts accepts
 * device requests for `nvidia`, and gives out the GPUs of `stateDirectory`. It needs root, `nsenter` and `mount`.
 */
export function installHook(binDirectory: string, stateDirectory: string): void {
  mkdirSync(binDirectory, { recursive: true });
  writeLauncher(join(binDirectory, 'nvidia-container-runtime-hook'), new URL('hook.ts', import.meta.url), { args: [stateDirectory] });
}
