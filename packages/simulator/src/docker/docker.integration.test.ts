import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readCard } from '../card/read-card.ts';
import { createSimulatedHost } from '../simulated-host.ts';
import type { SimulatedHost } from '../simulated-host.ts';
import { eventually, small } from '../testing/temporary-host.ts';
import { buildImages, images } from './build-images.ts';
import { startDockerEngine } from './docker-engine.ts';
import type { DockerEngine } from './docker-engine.ts';

const path = process.env['PATH'] ?? '';
const directory = mkdtempSync(join(tmpdir(), 'berth-sim-'));
const gpus = [{ memoryTotalMiB: 10_240, memoryReservedMiB: 240 }, { memoryTotalMiB: 10_240 }];
const appQuery = ['nvidia-smi', '--query-compute-apps=gpu_uuid,pid,process_name,used_memory', '--format=csv,noheader,nounits'];
const engineCommand = ['small', '--kv-cache-memory-bytes', '4G', '--gpu-memory-utilization', '0.02', '--max-model-len', 'auto'];

let host: SimulatedHost;
let engine: DockerEngine;

beforeAll(async () => {
  host = createSimulatedHost(join(directory, 'host'), gpus, { '*': { ...small, contextMiB: 100, weightsMiB: 1000 } });
  engine = await startEngine();
  await buildImages(engine.api, path);
});

afterEach(async () => {
  for (const { Id } of await engine.api.read<{ Id: string }[]>('/containers/json?all=1'))
    await engine.api.call('DELETE', `/containers/${Id}?force=1`);
});

afterAll(async () => {
  await engine.stop({ removeData: true });
  await eventually(() => expect(existsSync(`/proc/${engine.pid}`)).toBe(false));
  expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(directory);
  rmSync(directory, { recursive: true });
});

async function startEngine(): Promise<DockerEngine> {
  return await startDockerEngine({ directory: join(directory, 'engine'), stateDirectory: host.stateDirectory, path, liveRestore: true });
}

interface ContainerRequest {
  image?: string;
  cmd: string[];
  devices?: string[];
  capabilities?: string[];
  pidMode?: string;
  network?: string;
}

/** Creates and starts a container with GPUs by UUID. */
async function start(request: ContainerRequest): Promise<string> {
  const { image = images.base, cmd, devices, capabilities = ['gpu'], pidMode = '', network = 'none' } = request;
  const body = {
    Image: image,
    Cmd: cmd,
    Tty: true,
    HostConfig: {
      NetworkMode: network,
      PidMode: pidMode,
      Init: true,
      DeviceRequests: devices === undefined ? [] : [{ Driver: 'nvidia', DeviceIDs: devices, Capabilities: [capabilities] }],
    },
  };
  const { Id } = JSON.parse(await engine.api.call('POST', '/containers/create', Readable.from([JSON.stringify(body)]))) as { Id: string };
  await engine.api.call('POST', `/containers/${Id}/start`);
  return Id;
}

async function logs(id: string): Promise<string> {
  return (await engine.api.call('GET', `/containers/${id}/logs?stdout=1&stderr=1`)).replaceAll('\r\n', '\n');
}

/** Runs a container to its end. */
async function run(request: ContainerRequest): Promise<{ exitCode: number; output: string }> {
  const id = await start(request);
  const { StatusCode } = JSON.parse(await engine.api.call('POST', `/containers/${id}/wait`)) as { StatusCode: number };
  return { exitCode: StatusCode, output: await logs(id) };
}

async function startReady(device: string, command: readonly string[] = engineCommand, capabilities?: string[]): Promise<string> {
  const id = await start({ image: images.engine, cmd: [...command], devices: [device], ...(capabilities && { capabilities }) });
  await eventually(async () => expect(await logs(id)).toContain('Application startup complete.'));
  return id;
}

const uuid = (index: number): string => host.gpus[index]?.uuid ?? '';

describe('a container with simulated GPUs', () => {
  it('finds nvidia-smi inside, and only the GPUs it asked for, numbered from 0', async () => {
    const { exitCode, output } = await run({ cmd: ['nvidia-smi', '-L'], devices: [uuid(1)] });
    expect([exitCode, output]).toEqual([0, `GPU 0: Simulated GPU (UUID: ${uuid(1)})\n`]);
    expect((await run({ cmd: ['nvidia-smi', '-L'], devices: [uuid(0), uuid(1)] })).output.split('\n')).toHaveLength(3);
  });

  it('has nothing of them without a device request', async () => {
    expect((await run({ cmd: ['nvidia-smi', '-L'] })).output).toContain('exec nvidia-smi failed: No such file or directory');
  });

  it('does not start for a GPU that is not there', async () => {
    await expect(run({ cmd: ['nvidia-smi'], devices: ['GPU-none'] })).rejects.toThrow(
      'nvidia-container-cli: device error: GPU-none: unknown device',
    );
  });

  it('holds memory that a probe sees with host process ids under PidMode host, and not at all without', async () => {
    const id = await startReady(uuid(0));
    const top = JSON.parse(await engine.api.call('GET', `/containers/${id}/top?ps_args=-eo%20pid,args`)) as { Processes: string[][] };
    const corePid = top.Processes.find((columns) => columns.at(-1)?.startsWith('VLLM::EngineCore'))?.[0];
    const probe = { cmd: appQuery, devices: [uuid(0), uuid(1)], capabilities: ['gpu', 'utility'] };
    expect((await run({ ...probe, pidMode: 'host' })).output).toBe(`${uuid(0)}, ${corePid}, VLLM::EngineCore, ${100 + 1000 + 4096 + 50}\n`);
    expect((await run(probe)).output).toBe('');
  });

  it('shares a card with others and runs out of memory beside them', async () => {
    await startReady(uuid(0));
    const second = await run({ image: images.engine, cmd: engineCommand, devices: [uuid(0)] });
    expect(second.exitCode).toBe(1);
    expect(second.output).toContain('torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB.');
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(5246);
    await startReady(uuid(1));
  });

  it('gives its memory back when it is killed', async () => {
    const id = await startReady(uuid(0));
    await engine.api.call('POST', `/containers/${id}/kill`);
    await eventually(() => expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(0));
  });

  it('with the capability utility alone has no card to compute on', async () => {
    const id = await startReady(uuid(0), engineCommand, ['gpu', 'utility']);
    expect(await logs(id)).toContain('CPU KV cache size');
  });
});

describe('the private Docker engine', () => {
  it('is started once, however often it is asked for', async () => {
    expect((await startEngine()).pid).toBe(engine.pid);
  });

  it('comes back after it was killed, with its containers still running', async () => {
    const id = await startReady(uuid(0));
    const killed = engine.pid;
    process.kill(killed, 'SIGKILL');
    await eventually(async () => await expect(engine.api.call('GET', '/_ping')).rejects.toThrow('no answer'));
    engine = await startEngine();
    expect(engine.pid).not.toBe(killed);
    const { State } = await engine.api.read<{ State: { Status: string } }>(`/containers/${id}/json`);
    expect(State.Status).toBe('running');
    expect(readCard(host.stateDirectory).gpus[0]?.usedMiB).toBe(5246);
  });

  it('does not build an image again that is up to date', async () => {
    const id = async () => (await engine.api.read<{ Id: string }>(`/images/${encodeURIComponent(images.engine)}/json`)).Id;
    const before = await id();
    await buildImages(engine.api, path, ['engine']);
    expect(await id()).toBe(before);
  });

  it('runs the Redis image on a network that the host reaches', async () => {
    await engine.api.call('POST', '/networks/create', Readable.from([JSON.stringify({ Name: 'sim' })]));
    const id = await start({ image: images.redis, cmd: [], network: 'sim' });
    await eventually(async () => expect(await logs(id)).toContain('Ready to accept connections'));
    const { NetworkSettings } = await engine.api.read<{ NetworkSettings: { Networks: { sim: { IPAddress: string } } } }>(
      `/containers/${id}/json`,
    );
    const socket = connect(6379, NetworkSettings.Networks.sim.IPAddress);
    socket.end('PING\r\n');
    expect(await text(socket)).toBe('+PONG\r\n');
  });
});
