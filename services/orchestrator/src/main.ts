import { isOperationalError } from '@berth/core';
import { startOrchestrator, type Orchestrator } from './orchestrator.ts';
import { readOrchestratorSettings } from './settings.ts';

async function end(orchestrator: Orchestrator): Promise<void> {
  await orchestrator[Symbol.asyncDispose]();
  process.exit(0);
}

/** Runs one orchestrator until it is told to end. Endpoints are left running, for adoption by the next one. */
try {
  const orchestrator = await startOrchestrator(readOrchestratorSettings(process.env));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => void end(orchestrator));
  }
  // It has told why. Whoever supervises it starts it anew, and a standby leads meanwhile.
  orchestrator.ended.catch(() => process.exit(1));
} catch (error) {
  if (!isOperationalError(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
