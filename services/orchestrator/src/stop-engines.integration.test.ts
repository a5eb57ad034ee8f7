import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asId, type EngineHandle, type EngineRuntime, type EngineSpec } from '@berth/core';
import { createProcessRuntime } from '@berth/process';
import { openInstallation } from '@berth/redis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { FAKE_ENGINE_LINES, fakeEngineArguments, type FakeEngine } from '../../../test/support/fake-engine.ts';
import { isAnswering, isProcessAlive } from '../../../test/support/reachability.ts';
import { readOrchestratorSettings } from './settings.ts';
import { stopEngines } from './stop-engines.ts';

const program = fileURLToPath(new URL('../../../test/support/fake-engine.ts', import.meta.url));

/** An installation under the `process` runtime with one model, and its settings. */
async function createInstallation() {
  const directory = await mkdtemp(join(tmpdir(), 'berth-stop-'));
  const catalogPath = join(directory, 'berth.yaml');
  await writeFile(catalogPath, 'host: { runtime: process }\nmodels: { fake: { engine: openai, command: [fake, "{port}"], gpus: 0 } }\n');
  const settings = readOrchestratorSettings({
    BERTH_REDIS_URL: 'redis://127.0.0.1:1',
    BERTH_CONFIG: catalogPath,
    BERTH_FOOTPRINTS_FILE: join(directory, 'memory_footprints.json'),
    BERTH_RUN_DIRECTORY: join(directory, 'run'),
    BERTH_REACH: 'loopback',
  });
  const installationId = await openInstallation(directory);
  const env = { PATH: process.env['PATH'] ?? '' };
  const runtime = await createProcessRuntime({ runDirectory: settings.runDirectory, installationId, hostId: 'local', env });
  onTestFinished(async () => {
    for (const { handle } of await runtime.listEngines()) await runtime.removeEngine(handle);
    await rm(directory, { recursive: true });
  });
  return { settings, installationId, runtime };
}

async function startEngine(
  runtime: EngineRuntime,
  installationId: EngineSpec['installationId'],
  wish: Partial<FakeEngine>,
): Promise<EngineHandle> {
  const handle = await runtime.createEngine({
    installationId,
    hostId: 'local',
    generation: asId('1'),
    model: asId('fake'),
    signature: asId('signature'),
    imageId: 'program',
    hasCounter: false,
    servedNames: ['fake'],
    allocations: [],
    discovery: false,
    kvCacheBytes: null,
    port: 8000,
    createdAtMs: 1,
    containerName: 'berth-fake-1',
    image: '',
    command: [process.execPath, program],
    args: fakeEngineArguments(wish),
    env: {},
    gpuUuids: [],
    mounts: [],
    shmSizeBytes: null,
    stopGraceMs: 1000,
  });
  await runtime.startEngine(handle);
  return handle;
}

describe('the end of all engines', () => {
  it('does not wait for an engine that loads and swallows SIGTERM', { timeout: 30_000 }, async () => {
    const { settings, installationId, runtime } = await createInstallation();
    const handle = await startEngine(runtime, installationId, { startMs: 600_000, onSigterm: 'ignore' });
    const [pid] = await runtime.processIds(handle);
    await stopEngines(settings, { graceMs: 600_000 });
    expect(isProcessAlive(pid ?? 0)).toBe(false);
    expect(await runtime.listEngines()).toEqual([]);
  });

  it('asks an engine that serves to end before it is ended', async () => {
    const { settings, installationId, runtime } = await createInstallation();
    const handle = await startEngine(runtime, installationId, { onSigterm: 'ignore' });
    const url = (await runtime.inspectEngine(handle))?.urls.loopback ?? null;
    await eventually('the engine to answer', () => isAnswering(url));
    const stopping = stopEngines(settings, { graceMs: 2_000 });
    await eventually('SIGTERM to reach it', async () =>
      (await runtime.readLog(handle, { lines: 5 })).includes(FAKE_ENGINE_LINES.terminated),
    );
    await stopping;
    expect(await runtime.listEngines()).toEqual([]);
  });
});
