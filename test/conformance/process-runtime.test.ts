import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProcessRuntime } from '@berth/process';
import { isAnswering, isProcessAlive } from '../support/reachability.ts';
import { describeEngineRuntime } from './engine-runtime-suite.ts';

const program = fileURLToPath(new URL('../support/fake-engine.ts', import.meta.url));

describeEngineRuntime('processes of this machine', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-process-'));
  return {
    open: (installationId, hostId) =>
      createProcessRuntime({
        runDirectory: join(directory, 'run'),
        installationId,
        hostId,
        env: { PATH: process.env['PATH'] ?? '' },
        watchEveryMs: 100,
      }),
    program: { image: 'ignored', command: [process.execPath, program] },
    missingProgram: { image: 'ignored', command: ['no-such-program-of-berth'] },
    isServing: (status) => isAnswering(status.urls.loopback),
    isAlive: isProcessAlive,
    keepsPort: false,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
});
