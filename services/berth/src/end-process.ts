import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './process-identity.ts';
import type { ProcessIdentity } from './process-identity.ts';

/**
 * SIGTERM, then SIGKILL after `graceMs` (0: SIGKILL at once). Returns when the process is gone; one that is gone already is success. Works for
 * processes that are not children, whose end cannot be waited for, so it looks every 20 ms.
 */
export async function endProcess(identity: ProcessIdentity, options: { readonly graceMs: number }): Promise<void> {
  const killAtMs = Date.now() + options.graceMs;
  if (options.graceMs > 0) signal(identity, 'SIGTERM');
  while (isAlive(identity)) {
    if (Date.now() >= killAtMs) signal(identity, 'SIGKILL');
    await sleep(20);
  }
}

function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    // It ended in between.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
