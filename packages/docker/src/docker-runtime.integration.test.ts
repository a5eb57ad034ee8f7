import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { EngineHandle, EngineSpec, GpuUuid, InstallationId, PullProgress } from '@berth/core';
import { asId } from '@berth/core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openCuttableSocket } from '../../../test/support/cuttable-socket.ts';
import type { TestDockerEngine } from '../../../test/support/docker-engine.ts';
import { listBerthContainers, useDockerEngine } from '../../../test/support/docker-engine.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { fakeEngineArguments } from '../../../test/support/fake-engine.ts';
import { startRegistry } from '../../../test/support/registry.ts';
import type { DockerRuntimeOptions } from './docker-runtime.ts';
import { createDockerRuntime } from './docker-runtime.ts';

const support = fileURLToPath(new URL('../../../test/support', import.meta.url));
const shared = `berth-docker-test-${process.pid}`;
let engine: TestDockerEngine;
let sequence = 0;

beforeAll(async () => {
  engine = await useDockerEngine();
});
afterAll(async () => {
  await engine.api.call('DELETE', `/networks/${shared}`);
});

/** A runtime of an installation of its own; its containers are removed when the test ends. */
function createRuntime(overrides: Partial<DockerRuntimeOptions> = {}) {
  const installationId = asId<InstallationId>(`docker-${crypto.randomUUID()}`);
  const options = { socketPath: engine.socketPath, installationId, hostId: 'local', network: { name: shared }, ...overrides };
  const runtime = createDockerRuntime(options);
  onTestFinished(async () => {
    for (const name of await listBerthContainers(engine, options.installationId)) {
      await engine.api.call('DELETE', `/containers${name}?force=1`);
    }
  });
  return { runtime, installationId: options.installationId };
}

function specOf(installationId: InstallationId, overrides: Partial<EngineSpec> = {}): EngineSpec {
  sequence += 1;
  return {
    installationId,
    hostId: 'local',
    generation: asId(`${Date.now()}${sequence}`),
    model: asId('fake'),
    signature: asId('signature'),
    imageId: 'image',
    hasCounter: true,
    servedNames: ['fake'],
    allocations: [],
    discovery: false,
    kvCacheBytes: null,
    port: 8000,
    createdAtMs: Date.now(),
    containerName: `berth-docker-test-${process.pid}-${sequence}`,
    image: engine.images.base,
    command: ['node', '/support/fake-engine.ts'],
    args: fakeEngineArguments(),
    env: {},
    gpuUuids: [],
    mounts: [{ source: support, target: '/support', readOnly: true }],
    shmSizeBytes: null,
    stopGraceMs: 10_000,
    ...overrides,
  };
}

interface Inspected {
  readonly Config: { readonly StopTimeout: number };
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Mounts: readonly { readonly Destination: string; readonly RW: boolean }[];
}

const inspect = (name: string) => engine.api.read<Inspected>(`/containers/${name}/json`);
const post = (path: string, body: unknown) => engine.api.call('POST', path, Readable.from([JSON.stringify(body)]));

describe('an engine’s container', () => {
  it('has no privilege, no published port and nothing of the host but its mounts', async () => {
    const { runtime, installationId } = createRuntime();
    const handle = await runtime.createEngine(specOf(installationId, { shmSizeBytes: 1 << 30 }));
    const { HostConfig: host, Config: config, Mounts: mounts } = await inspect(handle);
    expect(host).toMatchObject({
      Privileged: false,
      Init: true,
      AutoRemove: false,
      PidMode: '',
      NetworkMode: shared,
      RestartPolicy: { Name: 'no' },
      SecurityOpt: ['no-new-privileges'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '20m', 'max-file': '2' } },
      ShmSize: 1 << 30,
    });
    expect(host['PortBindings'] ?? {}).toEqual({});
    expect(host['DeviceRequests'] ?? []).toEqual([]);
    expect(mounts.map(({ Destination, RW }) => ({ Destination, RW }))).toEqual([{ Destination: '/support', RW: false }]);
    expect(config.StopTimeout).toBeGreaterThan(10);
  });

  it('sees the GPUs it was given and no other', async () => {
    const { runtime, installationId } = createRuntime();
    const [, second] = engine.host.gpus;
    const gpuUuid = second?.uuid ?? '';
    const handle = await runtime.createEngine(specOf(installationId, { gpuUuids: [asId(gpuUuid)], command: ['nvidia-smi'], args: ['-L'] }));
    await runtime.startEngine(handle);
    await eventually('it ended', async () => (await runtime.inspectEngine(handle))?.state === 'exited');
    const log = await runtime.readLog(handle, { lines: 10 });
    expect(log).toHaveLength(1);
    expect(log[0]).toContain(gpuUuid);
  });

  it('is made anew with the other driver where Docker does not know the first', async () => {
    const { runtime, installationId } = createRuntime({ gpuDriver: 'cdi' });
    const gpuUuid = asId<GpuUuid>(engine.host.gpus[0]?.uuid ?? '');
    const spec = specOf(installationId, { gpuUuids: [gpuUuid] });
    const handle = await runtime.createEngine(spec);
    const { runtime: automatic } = createRuntime({ installationId });
    await automatic.startEngine(handle);
    expect(await automatic.inspectEngine(handle)).toMatchObject({ state: 'running' });
    expect((await inspect(handle)).HostConfig['DeviceRequests']).toMatchObject([{ Driver: 'nvidia', DeviceIDs: [gpuUuid] }]);
    const [listed] = await automatic.listEngines();
    expect(listed?.identity?.generation).toBe(spec.generation);
  });

  it('is removed when Docker has no driver for its GPUs, and the error says what to install', async () => {
    const { runtime, installationId } = createRuntime({ gpuDriver: 'cdi' });
    const handle = await runtime.createEngine(specOf(installationId, { gpuUuids: 'all' }));
    await expect(runtime.startEngine(handle)).rejects.toMatchObject({
      code: 'ENGINE_START_FAILED',
      retryable: false,
      message: expect.stringContaining('nvidia-container-toolkit'),
    });
    expect(await listBerthContainers(engine, installationId)).toEqual([]);
  });

  it('ends at once, with the reason in its log, when its program cannot be run', async () => {
    const { runtime, installationId } = createRuntime();
    const handle = await runtime.createEngine(specOf(installationId, { command: ['no-such-program'] }));
    await runtime.startEngine(handle);
    const status = await eventually('it ended', async () => {
      const seen = await runtime.inspectEngine(handle);
      return seen?.state === 'exited' && seen;
    });
    expect(status.exitCode).toBe(127);
    expect((await runtime.readLog(handle, { lines: 5 })).join('\n')).toContain('no-such-program');
  });

  it('is not created where a mount does not exist, and the error names it', async () => {
    const { runtime, installationId } = createRuntime();
    const spec = specOf(installationId, { mounts: [{ source: '/no/such/folder', target: '/data', readOnly: true }] });
    await expect(runtime.createEngine(spec)).rejects.toMatchObject({
      code: 'ENGINE_START_FAILED',
      message: expect.stringContaining('/no/such/folder'),
    });
  });

  it('is not taken over from somebody else who has its name', async () => {
    const { runtime, installationId } = createRuntime();
    const spec = specOf(installationId);
    await post(`/containers/create?name=${spec.containerName}`, { Image: spec.image });
    onTestFinished(async () => {
      await engine.api.call('DELETE', `/containers/${spec.containerName}`);
    });
    await expect(runtime.createEngine(spec)).rejects.toMatchObject({ code: 'ENGINE_START_FAILED' });
  });
});

/** Removed, with its containers gone, when the test ends. */
function nameNetwork(): string {
  const name = `berth-net-${crypto.randomUUID()}`;
  onTestFinished(async () => {
    await engine.api.call('DELETE', `/networks/${name}`);
  });
  return name;
}

const atOneInstant = () => 1_780_000_000_000;

describe('the engine network', () => {
  interface Pool {
    readonly Subnet: string;
    readonly IPRange: string;
  }
  const readPool = async (name: string) =>
    (await engine.api.read<{ readonly IPAM: { readonly Config: readonly Pool[] } }>(`/networks/${name}`)).IPAM.Config[0];

  it('is created with another subnet when one is in use', async () => {
    const [first, second] = [nameNetwork(), nameNetwork()];
    const one = createRuntime({ network: { name: first } });
    const two = createRuntime({ network: { name: second } });
    const handles = [
      await one.runtime.createEngine(specOf(one.installationId)),
      await two.runtime.createEngine(specOf(two.installationId)),
    ];
    expect(handles).toHaveLength(2);
    const [poolOne, poolTwo] = [await readPool(first), await readPool(second)];
    expect(poolOne?.Subnet).not.toBe(poolTwo?.Subnet);
  });

  it('is refused with a subnet that the operator chose and that is in use', async () => {
    const first = nameNetwork();
    const one = createRuntime({ network: { name: first } });
    await one.runtime.createEngine(specOf(one.installationId));
    const { Subnet: subnet } = (await readPool(first)) ?? { Subnet: '' };
    const two = createRuntime({ network: { name: `${first}-other`, subnet } });
    await expect(two.runtime.createEngine(specOf(two.installationId))).rejects.toMatchObject({
      code: 'ENGINE_START_FAILED',
      message: expect.stringContaining('host.docker.subnet'),
    });
  });

  it('gives the next address when one is already in use', async () => {
    const network = { name: nameNetwork() };
    const one = createRuntime({ network, nowMs: atOneInstant });
    const two = createRuntime({ network, nowMs: atOneInstant }); // another installation: it does not know the first one's addresses
    const first = await one.runtime.createEngine(specOf(one.installationId));
    await one.runtime.startEngine(first);
    const second = await two.runtime.createEngine(specOf(two.installationId));
    const wanted = (await two.runtime.inspectEngine(second))?.urls.address;
    expect(wanted).toBe((await one.runtime.inspectEngine(first))?.urls.address);
    await two.runtime.startEngine(second);
    expect(await two.runtime.inspectEngine(second)).toMatchObject({
      state: 'running',
      urls: { address: expect.not.stringContaining(`${wanted}`) },
    });
    const [listed] = await two.runtime.listEngines();
    expect(listed?.handle).toBe(second);
  });

  it('may be one whose subnet Docker chose: engines get the address that Docker gives', async () => {
    const network = { name: nameNetwork() };
    await post('/networks/create', { Name: network.name, Driver: 'bridge' });
    const { runtime, installationId } = createRuntime({ network });
    const handle = await runtime.createEngine(specOf(installationId));
    await runtime.startEngine(handle);
    expect(await runtime.inspectEngine(handle)).toMatchObject({
      state: 'running',
      urls: { address: expect.stringMatching(/^http:\/\/\d/) },
    });
  });

  it('leads from one container to an engine by its name', async () => {
    const { runtime, installationId } = createRuntime();
    const handle = await runtime.createEngine(specOf(installationId));
    await runtime.startEngine(handle);
    await eventually('it listens', async () => (await runtime.readLog(handle, { lines: 9 })).some((line) => line.startsWith('listening')));
    const url = (await runtime.inspectEngine(handle))?.urls.name ?? '';
    const script = `fetch(${JSON.stringify(url)}).then((answer) => console.log(answer.status), console.log)`;
    const client = await runtime.createEngine(specOf(installationId, { command: ['node', '-e', script], args: [] }));
    await runtime.startEngine(client);
    await eventually('the client ended', async () => (await runtime.inspectEngine(client))?.state === 'exited');
    expect(await runtime.readLog(client, { lines: 50 })).toEqual(['200']);
  });

  it('leads to an engine through the next port of 127.0.0.1 when one is taken', async () => {
    const portRange = { first: 23_500, last: 23_599 };
    const { runtime, installationId } = createRuntime({ reach: 'loopback', portRange, nowMs: atOneInstant });
    const handle = await runtime.createEngine(specOf(installationId));
    const wanted = Number(new URL((await runtime.inspectEngine(handle))?.urls.loopback ?? 'http://x').port);
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(wanted, '127.0.0.1', resolve));
    onTestFinished(() => {
      stranger.close();
    });
    await runtime.startEngine(handle);
    expect(await runtime.inspectEngine(handle)).toMatchObject({ state: 'running', urls: { loopback: `http://127.0.0.1:${wanted + 1}` } });
  });
});

describe('pulling an image', () => {
  it('tells progress up to the whole and returns the id', async () => {
    await using registry = await startRegistry();
    const { runtime } = createRuntime();
    const progress: PullProgress[] = [];
    expect(await runtime.resolveImageId(registry.image, null)).toBeNull();
    const id = await runtime.pullImage(registry.image, { onProgress: (step) => progress.push(step), signal: new AbortController().signal });
    onTestFinished(async () => {
      await engine.api.call('DELETE', `/images/${registry.image}?force=1`);
    });
    expect(id).toBe(await runtime.resolveImageId(registry.image, null));
    const fractions = progress.map((step) => step.fraction).filter((fraction) => fraction !== null);
    expect(fractions).toEqual(fractions.toSorted((one, other) => one - other));
    expect(fractions.at(-1)).toBe(1);
  });

  it('hands on what the registry answers', async () => {
    await using registry = await startRegistry();
    const { runtime } = createRuntime();
    const pull = runtime.pullImage(registry.image.replace(/:1$/, ':2'), {
      onProgress: () => {},
      signal: new AbortController().signal,
    });
    await expect(pull).rejects.toMatchObject({ code: 'IMAGE_MISSING', retryable: false, message: expect.stringContaining('manifest') });
  });

  it('ends at once when it is called off', async () => {
    await using registry = await startRegistry();
    registry.stall();
    const { runtime } = createRuntime();
    const calledOff = new AbortController();
    const reason = new Error('nobody waits for it');
    const pull = runtime.pullImage(registry.image, {
      onProgress: ({ message }) => {
        if (message.includes('Downloading')) calledOff.abort(reason);
      },
      signal: calledOff.signal,
    });
    await expect(pull).rejects.toBe(reason);
    expect(await runtime.resolveImageId(registry.image, null)).toBeNull();
  });
});

describe('a Docker engine that is away', () => {
  it('is told as such, with what to do', async () => {
    const { runtime } = createRuntime({ socketPath: '/no/such/docker.sock', installationId: asId('nobody') });
    const handle = asId<EngineHandle>('berth-any');
    const calls = [
      () => runtime.resolveImageId('any:1', null),
      () => runtime.pullImage('any:1', { onProgress: () => {}, signal: new AbortController().signal }),
      () => runtime.createEngine(specOf(asId('nobody'))),
      () => runtime.startEngine(handle),
      () => runtime.inspectEngine(handle),
      () => runtime.stopEngine(handle, { graceMs: 1000 }),
      () => runtime.removeEngine(handle),
      () => runtime.listEngines(),
      () => runtime.processIds(handle),
      () => runtime.readLog(handle, { lines: 1 }),
      () => runtime.watchExits(() => {}),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'DOCKER_UNAVAILABLE',
        retryable: true,
        message: expect.stringContaining('/no/such/docker.sock'),
      });
    }
  });

  it('has its exits told when it is back', async () => {
    await using socket = await openCuttableSocket(engine.socketPath);
    const { runtime, installationId } = createRuntime();
    const { runtime: behindSocket } = createRuntime({ socketPath: socket.path, installationId });
    const handle = await runtime.createEngine(specOf(installationId));
    await runtime.startEngine(handle);
    const exits: EngineHandle[] = [];
    await using watch = await behindSocket.watchExits((ended) => exits.push(ended));
    expect(watch).toBeDefined();
    socket.cut();
    await runtime.stopEngine(handle, { graceMs: 0 });
    expect(exits).toEqual([]);
    socket.mend();
    await eventually('the exit is told', () => exits.includes(handle));
    const next = await runtime.createEngine(specOf(installationId, { args: fakeEngineArguments({ exitCode: 1 }) }));
    await runtime.startEngine(next);
    await eventually('later exits are told too', () => exits.includes(next));
    expect(exits).toEqual([handle, next]);
  });
});
