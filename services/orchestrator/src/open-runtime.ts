import type { EngineRuntime, InstallationId, NvidiaSmiRunner } from '@berth/core';
import type { Catalog } from '@berth/config';
import { createDockerNvidiaSmi, createDockerRuntime } from '@berth/docker';
import { createLocalNvidiaSmi, createProcessRuntime } from '@berth/process';
import type { OrchestratorSettings } from './settings.ts';

export interface OpenedRuntime {
  readonly runtime: EngineRuntime;
  readonly nvidiaSmi: NvidiaSmiRunner;
}

/** Variables of ours that engines have no business with. */
const OWN_VARIABLES = /^(BERTH_|HF_TOKEN$)/;

/** The runtime that the catalog asks for, and where nvidia-smi runs with it: in throw-away containers, or from the path. */
export async function openRuntime(options: {
  readonly settings: OrchestratorSettings;
  readonly catalog: Catalog;
  readonly installationId: InstallationId;
}): Promise<OpenedRuntime> {
  const { settings, catalog, installationId } = options;
  const hostId = catalog.host.id;
  if (catalog.host.runtime === 'process') {
    const env = engineBaseEnvironment(settings.environment);
    return {
      runtime: await createProcessRuntime({ runDirectory: settings.runDirectory, installationId, hostId, env }),
      nvidiaSmi: createLocalNvidiaSmi({ env }),
    };
  }
  const socket = settings.dockerSocket === null ? {} : { socketPath: settings.dockerSocket };
  const { network, gpuDriver } = catalog.host.docker;
  return {
    runtime: createDockerRuntime({
      ...socket,
      installationId,
      hostId,
      network: { name: network ?? `${settings.installation}-engines` },
      reach: settings.reach === 'loopback' ? 'loopback' : 'network',
      gpuDriver,
    }),
    nvidiaSmi: createDockerNvidiaSmi({ ...socket, installationId, hostId, probeImage: catalog.host.probeImage, gpuDriver }),
  };
}

function engineBaseEnvironment(environment: OrchestratorSettings['environment']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined || OWN_VARIABLES.test(name) ? [] : [[name, value]])),
  );
}
