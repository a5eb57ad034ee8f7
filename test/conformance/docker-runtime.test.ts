import { fileURLToPath } from 'node:url';
import { createDockerRuntime } from '@berth/docker';
import { expect } from 'vitest';
import { listBerthContainers, useDockerEngine } from '../support/docker-engine.ts';
import { isAnswering, isProcessAlive } from '../support/reachability.ts';
import type { EngineRuntimeFixture } from './engine-runtime-suite.ts';
import { describeEngineRuntime } from './engine-runtime-suite.ts';

const support = fileURLToPath(new URL('../support', import.meta.url));

for (const reach of ['network', 'loopback'] as const) {
  describeEngineRuntime(`Docker, reached by ${reach}`, async () => {
    const engine = await useDockerEngine();
    const network = { name: `berth-conformance-${process.pid}` };
    const program: EngineRuntimeFixture['program'] = {
      image: engine.images.base,
      command: ['node', '/support/fake-engine.ts'],
      mounts: [{ source: support, target: '/support', readOnly: true }],
    };
    let installation = '';
    return {
      open: async (installationId, hostId) => {
        if (installation === '') installation = installationId;
        return createDockerRuntime({ socketPath: engine.socketPath, installationId, hostId, network, reach });
      },
      program,
      missingProgram: { image: 'berth-no-such-image:1', command: null },
      isServing: (status) => isAnswering(reach === 'network' ? status.urls.address : status.urls.loopback),
      isAlive: isProcessAlive,
      keepsPort: true,
      async [Symbol.asyncDispose]() {
        await engine.api.call('DELETE', `/networks/${network.name}`);
        expect(await listBerthContainers(engine, installation)).toEqual([]);
      },
    };
  });
}
