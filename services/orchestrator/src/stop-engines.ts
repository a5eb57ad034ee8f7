import { dirname } from 'node:path';
import { homedir } from 'node:os';
import { loadCatalog, resolveCatalogPath } from '@berth/config';
import { openInstallation } from '@berth/redis';
import { openRuntime } from './open-runtime.ts';
import type { OrchestratorSettings } from './settings.ts';

/**
 * Stops and removes every engine of this installation, whatever is in flight: SIGTERM, SIGKILL after `graceMs`. For the end of `berth up`, when no
 * orchestrator and no edge of it runs any more. Needs no Redis; the next orchestrator finds the endpoints gone. Throws `DOCKER_UNAVAILABLE`.
 */
export async function stopEngines(settings: OrchestratorSettings, options: { readonly graceMs: number }): Promise<void> {
  const path = resolveCatalogPath({ ...(settings.catalogPath === null ? {} : { BERTH_CONFIG: settings.catalogPath }), cwd: process.cwd() });
  const catalog = loadCatalog({ path, home: homedir() });
  const installationId = await openInstallation(dirname(settings.footprintsFile));
  const { runtime } = await openRuntime({ settings, catalog, installationId });
  const engines = await runtime.listEngines();
  await Promise.all(
    engines.map(async ({ handle, status }) => {
      // An engine that still loads may swallow SIGTERM, and an adopted one may hold sockets open: neither may delay the end for longer than the grace.
      if (status.state === 'running') await runtime.stopEngine(handle, options);
      await runtime.removeEngine(handle);
    }),
  );
}
