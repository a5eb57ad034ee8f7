import { OperationalError } from '@berth/core';
import type { DockerClient } from './docker-client.ts';
import { isRefusal, queryOnly } from './docker-client.ts';

/** SIGKILL takes effect at once, unless the kernel itself is stuck (a GPU driver that does not return). */
const KILL_TIMEOUT_MS = 30_000;

/**
 * SIGTERM and, after `graceMs` (whole seconds for Docker, rounded up), SIGKILL; with 0 SIGKILL at once. Returns when the container does not
 * run, and with it nothing in its process namespace. Already stopped, never started and gone are success. Throws `ENGINE_UNRESPONSIVE` for
 * one that outlives SIGKILL by 30 s.
 */
export async function stopContainer(client: DockerClient, name: string, graceMs: number): Promise<void> {
  const container = client.docker.getContainer(name);
  try {
    if (graceMs > 0) {
      const seconds = Math.ceil(graceMs / 1000);
      await client.call(`stop ${name}`, (signal) => container.stop(queryOnly({ t: seconds }, signal)), seconds * 1000 + KILL_TIMEOUT_MS);
    } else {
      await client.call(`kill ${name}`, (signal) => container.kill(queryOnly({ signal: 'SIGKILL' }, signal)));
    }
    await client.call(`end ${name}`, (signal) => container.wait({ condition: 'not-running', abortSignal: signal }), KILL_TIMEOUT_MS);
  } catch (error) {
    if (isRefusal(error, 304, 404, 409)) return; // stopped already, gone, not running
    if (error instanceof OperationalError && error.details['timeoutMs'] === KILL_TIMEOUT_MS) throw outlivedKill(name, error);
    throw error;
  }
}

function outlivedKill(name: string, cause: unknown): OperationalError {
  return new OperationalError({
    code: 'ENGINE_UNRESPONSIVE',
    message: `The container ${name} is still there ${KILL_TIMEOUT_MS / 1000} s after SIGKILL: the kernel holds its processes, as a rule in the GPU driver. A reboot frees them.`,
    retryable: true,
    details: { engine: name },
    cause,
  });
}
