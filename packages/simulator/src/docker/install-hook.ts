import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Installs the stand-in for the NVIDIA container hook into `binDirectory`. A dockerd that finds it on its PATH when it starts accepts
 * device requests for `nvidia`, and gives out the GPUs of `stateDirectory`. It needs root, `nsenter` and `mount`.
 */
export function installHook(binDirectory: string, stateDirectory: string): void {
  const program = fileURLToPath(new URL('hook.ts', import.meta.url));
  const path = join(binDirectory, 'nvidia-container-runtime-hook');
  mkdirSync(binDirectory, { recursive: true });
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${stateDirectory}' "$@"\n`);
  chmodSync(path, 0o755);
}
