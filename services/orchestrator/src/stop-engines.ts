import { dirname } from 'node:path';
import { homedir } from 'node:os';
import { loadCatalog, resolveCatalogPath } from '@berth/config';
import type { RunningEngine } from '@berth/core';
import { openInstallation } from '@berth/redis';
import { createEngineClient } from './engine-client.ts';
import { openRuntime } from './open-runtime.ts';
import type { OrchestratorSettings } from './settings.ts';
import { engineUrl } from './tasks/engine-url.ts';

/**
 * Stops and removes every engine of this installation, whatever is in flight: SIGTERM, SIGKILL after `graceMs`; one that does not serve yet
 * is ended at once. For the end of `berth up`, when no orchestrator and no edge of it runs any more. Needs no Redis; the next orchestrator
 * finds the endpoints gone. Throws `DOCKER_UNAVAILABLE`.
 */
export async function stopEngines(settings: OrchestratorSettings, options: { readonly graceMs: number }): Promise<void> {
  const path = resolveCatalogPath({ ...(settings.catalogPath === null ? {} : { BERTH_CONFIG: settings.catalogPath }), cwd: process.cwd() });
  const catalog = loadCatalog({ path, home: homedir() });
  const installationId = await openInstallation(dirname(settings.footprintsFile));
  const { runtime } = await openRuntime({ settings, catalog, installationId });
  const engines = createEngineClient();
  const serves = async ({ identity, status }: RunningEngine): Promise<boolean> => {
    const url = engineUrl(status.urls, settings.reach);
    const model = catalog.models.find(({ name }) => name === identity?.model);
    return url !== null && engines.isHealthy(url, model?.healthPath ?? '/health');
  };
  await Promise.all(
    (await runtime.listEngines()).map(async (engine) => {
      const { handle, status } = engine;
      // A vLLM that still loads may swallow SIGTERM (0.32.0, measured), and has nothing to lose. One that serves may wait for its clients.
      if (status.state === 'running') await runtime.stopEngine(handle, { graceMs: (await serves(engine)) ? options.graceMs : 0 });
      await runtime.removeEngine(handle);
    }),
  );
}
