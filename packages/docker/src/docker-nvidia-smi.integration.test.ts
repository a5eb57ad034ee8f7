import { Readable } from 'node:stream';
import type { InstallationId } from '@berth/core';
import { asId } from '@berth/core';
import { setFaults } from '@berth/simulator';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { TestDockerEngine } from '../../../test/support/docker-engine.ts';
import { listBerthContainers, useDockerEngine } from '../../../test/support/docker-engine.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { createDockerNvidiaSmi } from './docker-nvidia-smi.ts';

const QUERY = ['--query-gpu=index,uuid,memory.total', '--format=csv,noheader,nounits'];
const APPS = ['--query-compute-apps=pid,used_memory', '--format=csv,noheader,nounits'];

let engine: TestDockerEngine;
beforeAll(async () => {
  engine = await useDockerEngine();
});

/** A runner of its own installation, which must leave nothing behind. */
function createRunner(overrides: Partial<Parameters<typeof createDockerNvidiaSmi>[0]> = {}) {
  const installationId = asId<InstallationId>(`probe-${crypto.randomUUID()}`);
  onTestFinished(async () => {
    await eventually('no container is left', async () => (await listBerthContainers(engine, installationId)).length === 0);
  });
  const options = { socketPath: engine.socketPath, installationId, hostId: 'local', probeImage: engine.images.base, ...overrides };
  return { runner: createDockerNvidiaSmi(options), options, installationId };
}

async function createLeftover(name: string, installationId: string, untilMs: number): Promise<void> {
  const body = {
    Image: engine.images.base,
    Labels: { 'berth.installation': installationId, 'berth.host': 'local', 'berth.probe-until': String(untilMs) },
  };
  await engine.api.call('POST', `/containers/create?name=${name}`, Readable.from([JSON.stringify(body)]));
}

describe('nvidia-smi in a container', () => {
  it('sees every GPU of the host', async () => {
    const { runner } = createRunner();
    const result = await runner.run(QUERY, { timeoutMs: 30_000 });
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout.trim().split('\n')).toHaveLength(engine.host.gpus.length);
  });

  it('hands on the exit code of a refused option', async () => {
    const { runner } = createRunner();
    const result = await runner.run(['--no-such-option'], { timeoutMs: 30_000 });
    expect(result.exitCode).not.toBe(0);
    expect(result.stdout).toContain('Invalid combination of input arguments');
  });

  it('runs several command lines in order, whatever one of them returns', async () => {
    const { runner } = createRunner();
    const results = await runner.runAll?.([['--no-such-option'], QUERY, APPS], { timeoutMs: 30_000 });
    const alone = await runner.run(QUERY, { timeoutMs: 30_000 });
    expect(results?.map((result) => result.exitCode === 0)).toEqual([false, true, true]);
    expect(results?.[1]).toEqual(alone);
  });

  it('gives up in time on one that hangs, and removes it', async () => {
    const { runner } = createRunner();
    setFaults(engine.host.stateDirectory, { hangMs: 600_000 });
    onTestFinished(() => {
      setFaults(engine.host.stateDirectory, {});
    });
    await expect(runner.run(QUERY, { timeoutMs: 3000 })).rejects.toMatchObject({ code: 'GPU_PROBE_FAILED', retryable: true });
  });

  it('removes what a crash left once nobody can be waiting for it, and no other', async () => {
    const { runner, installationId } = createRunner();
    const name = `berth-probe-${crypto.randomUUID()}`;
    await createLeftover(`${name}-old`, installationId, Date.now() - 1);
    await createLeftover(`${name}-young`, installationId, Date.now() + 600_000);
    await runner.run(QUERY, { timeoutMs: 30_000 });
    expect(await listBerthContainers(engine, installationId)).toEqual([`/${name}-young`]);
    await engine.api.call('DELETE', `/containers/${name}-young`);
  });

  it('says what to install where Docker has no such driver', async () => {
    const { runner } = createRunner({ gpuDriver: 'cdi' });
    await expect(runner.run(QUERY, { timeoutMs: 30_000 })).rejects.toMatchObject({
      code: 'GPU_PROBE_FAILED',
      retryable: false,
      message: expect.stringContaining('nvidia-container-toolkit'),
    });
  });

  it('says what is missing where the image cannot be pulled', async () => {
    const { runner } = createRunner({ probeImage: 'localhost:1/no-such-image:1' });
    await expect(runner.run(QUERY, { timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'IMAGE_MISSING' });
  });

  it('says that Docker cannot be reached', async () => {
    const runner = createDockerNvidiaSmi({
      socketPath: '/no/such/docker.sock',
      installationId: asId('none'),
      hostId: 'local',
      probeImage: 'x',
    });
    await expect(runner.run(QUERY, { timeoutMs: 30_000 })).rejects.toMatchObject({ code: 'DOCKER_UNAVAILABLE', retryable: true });
  });
});
