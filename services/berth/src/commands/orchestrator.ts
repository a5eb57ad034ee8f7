import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCatalog } from '@berth/config';
import { readOrchestratorSettings, startOrchestrator, stopEngines } from '@berth/orchestrator';
import { createSimulatedHost } from '@berth/simulator';
import { readCommandSettings } from '../environment.ts';
import type { CommandContext } from './command.ts';
import { runService } from './run-service.ts';

/**
 * `berth orchestrator`: the orchestrator of this GPU host, until a signal. Endpoints are left running for adoption, unless `berth up`, whose own they are,
 * asks for their end. Where the catalog asks for simulated GPUs, the simulated `nvidia-smi` and `vllm` come first on its PATH.
 */
export async function orchestrator({ args, env, cwd, print }: CommandContext): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  const settings = readOrchestratorSettings(withSimulatedGpus(env, cwd));
  return runService({
    start: async () => startOrchestrator(settings),
    print,
    afterwards: async (message) => {
      if (message?.endpoints === true) await stopEngines(settings, { graceMs: message.graceMs });
    },
  });
}

function withSimulatedGpus(env: NodeJS.ProcessEnv, cwd: string): NodeJS.ProcessEnv {
  const { catalogPath, home, stateDirectory } = readCommandSettings(env, cwd);
  const { host } = loadCatalog({ path: catalogPath, home });
  if (host.simulatedGpus.length === 0) return env;
  const gpus = host.simulatedGpus.map(({ name, totalMiB }) => ({ name, memoryTotalMiB: totalMiB }));
  return createSimulatedHost(resolve(stateDirectory, 'simulated'), gpus).withPath(env);
}
