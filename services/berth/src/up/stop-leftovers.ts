import { isOperationalError } from '@berth/core';
import { readOrchestratorSettings, stopEngines } from '@berth/orchestrator';

/**
 * Stops what the orchestrator could not stop at its own end: it may have been killed just before, or had to be. Finds nothing after an
 * orderly end. A runtime that is away, or a catalog that cannot be read, is complained about with what to do.
 */
export async function stopLeftovers(
  env: NodeJS.ProcessEnv,
  options: { readonly graceMs: number; readonly complain: (line: string) => void },
): Promise<void> {
  try {
    await stopEngines(readOrchestratorSettings(env), { graceMs: options.graceMs });
  } catch (error) {
    if (!isOperationalError(error)) throw error;
    options.complain(`berth: endpoints may be left running: ${error.message} The next \`berth up\` in this folder takes them over.`);
  }
}
