import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineHandle, EngineRuntime, EngineSpec } from '@berth/core';
import { asId } from '@berth/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { fakeEngineArguments } from '../../../test/support/fake-engine.ts';
import { isAnswering, isProcessAlive } from '../../../test/support/reachability.ts';
import { createProcessRuntime } from './process-runtime.ts';

const program = fileURLToPath(new URL('../../../test/support/fake-engine.ts', import.meta.url));
const options = { installationId: asId<EngineSpec['installationId']>('process-test'), hostId: 'local', watchEveryMs: 100 };
let sequence = 0;

/** A run directory; whatever still runs in it is removed when the test ends. */
async function createDirectory() {
  const runDirectory = await mkdtemp(join(tmpdir(), 'berth-run-'));
  const open = () => createProcessRuntime({ ...options, runDirectory, env: { PATH: process.env['PATH'] ?? '' } });
  onTestFinished(async () => {
    const runtime = await open();
    for (const engine of await runtime.listEngines()) await runtime.removeEngine(engine.handle);
    await rm(runDirectory, { recursive: true });
  });
  return { runDirectory, open };
}

function specOf(overrides: Partial<EngineSpec> = {}): EngineSpec {
  sequence += 1;
  return {
    ...options,
    generation: asId(`${Date.now()}${sequence}`),
    model: asId('fake'),
    signature: asId('signature'),
    imageId: 'program',
    hasCounter: true,
    servedNames: ['fake'],
    allocations: [],
    discovery: false,
    kvCacheBytes: null,
    port: 8000,
    createdAtMs: Date.now(),
    containerName: `berth-process-${sequence}`,
    image: 'ignored',
    command: [process.execPath, program],
    args: fakeEngineArguments(),
    env: {},
    gpuUuids: [],
    mounts: [],
    shmSizeBytes: null,
    stopGraceMs: 10_000,
    ...overrides,
  };
}

async function start(runtime: EngineRuntime, spec: EngineSpec): Promise<EngineHandle> {
  const handle = await runtime.createEngine(spec);
  await runtime.startEngine(handle);
  return handle;
}

const untilExited = (runtime: EngineRuntime, handle: EngineHandle) =>
  eventually('it ended', async () => (await runtime.inspectEngine(handle))?.state === 'exited');

describe('an engine that runs as a process', () => {
  it('outlives the Berth that started it, killed at once after the start', async () => {
    const { runDirectory, open } = await createDirectory();
    const spec = specOf();
    const parent = `
      import { createProcessRuntime } from ${JSON.stringify(new URL('./process-runtime.ts', import.meta.url).href)};
      const runtime = await createProcessRuntime(${JSON.stringify({ ...options, runDirectory, env: { PATH: process.env['PATH'] } })});
      await runtime.startEngine(await runtime.createEngine(${JSON.stringify(spec)}));
      process.kill(process.pid, 'SIGKILL');
    `;
    const ended = new Promise<NodeJS.Signals | null>((resolve) => {
      spawn(process.execPath, ['--input-type=module', '-e', parent], { stdio: 'inherit' }).once('exit', (_code, signal) => {
        resolve(signal);
      });
    });
    expect(await ended).toBe('SIGKILL');
    const runtime = await open();
    const [adopted] = await runtime.listEngines();
    expect(adopted).toMatchObject({
      containerName: spec.containerName,
      identity: { generation: spec.generation },
      status: { state: 'running' },
    });
    const handle = asId<EngineHandle>(spec.containerName);
    const exits: EngineHandle[] = [];
    await using watch = await runtime.watchExits((exited) => exits.push(exited));
    expect(watch).toBeDefined();
    for (const pid of await runtime.processIds(handle)) process.kill(pid, 'SIGKILL');
    await eventually('the exit of a stranger’s child is noticed', () => exits.includes(handle));
    expect(await runtime.inspectEngine(handle)).toMatchObject({ state: 'exited', exitCode: null });
  });

  it.each([
    ['another start time', (lines: string[]) => [lines[0], lines[1]?.replace(/\d+/g, '1'), lines[2]]],
    ['another boot', (lines: string[]) => [lines[0], lines[1], 'another-boot']],
  ])('is not taken for a process of its number with %s, which is left alone', async (_what, tamper) => {
    const { runDirectory, open } = await createDirectory();
    const runtime = await open();
    const spec = specOf();
    const handle = await start(runtime, spec);
    const [pid] = await runtime.processIds(handle);
    const file = join(runDirectory, `${spec.containerName}.started`);
    const original = await readFile(file, 'utf8');
    await writeFile(file, tamper(original.split('\n')).join('\n'));
    const restarted = await open();
    expect((await restarted.listEngines()).map(({ status }) => status.state)).toEqual(['exited']);
    expect(await restarted.processIds(handle)).toEqual([]);
    await restarted.stopEngine(handle, { graceMs: 0 });
    expect(isProcessAlive(pid ?? 0)).toBe(true);
    await writeFile(file, original);
  });

  it('is started once when two start it at the same time', async () => {
    const { open } = await createDirectory();
    const [one, two] = [await open(), await open()];
    const handle = await one.createEngine(specOf());
    await Promise.all([one.startEngine(handle), two.startEngine(handle)]);
    expect(await one.processIds(handle)).toHaveLength(1);
    expect(await two.inspectEngine(handle)).toMatchObject({ state: 'running' });
  });

  it('gets its GPUs by UUID, none for the CPU, and nothing of the environment that was not handed over', async () => {
    const { open } = await createDirectory();
    const runtime = await open();
    process.env['BERTH_TEST_SECRET'] = 'secret';
    onTestFinished(() => {
      delete process.env['BERTH_TEST_SECRET'];
    });
    const script = 'echo "[$CUDA_VISIBLE_DEVICES] [$BERTH_TEST_SECRET]"';
    const show = async (gpuUuids: EngineSpec['gpuUuids']) => {
      const handle = await start(runtime, specOf({ command: ['/bin/sh', '-c', script], args: [], gpuUuids }));
      await untilExited(runtime, handle);
      return runtime.readLog(handle, { lines: 5 });
    };
    expect(await show([asId('GPU-1'), asId('GPU-2')])).toEqual(['[GPU-1,GPU-2] []']);
    expect(await show([])).toEqual(['[] []']);
  });

  it('leaves no secret on the disk once it runs', async () => {
    const { runDirectory, open } = await createDirectory();
    const runtime = await open();
    await start(runtime, specOf({ env: { HF_TOKEN: 'secret-token' } }));
    const files = (await readdir(runDirectory, { withFileTypes: true })).filter((entry) => entry.isFile());
    const texts = await Promise.all(files.map((entry) => readFile(join(runDirectory, entry.name), 'utf8')));
    expect(texts.join('\n')).not.toContain('secret-token');
  });

  it('is not started on a port that somebody took meanwhile, and leaves nothing', async () => {
    const { open } = await createDirectory();
    const runtime = await open();
    const handle = await runtime.createEngine(specOf());
    const port = Number(new URL((await runtime.inspectEngine(handle))?.urls.loopback ?? 'http://x').port);
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => {
      stranger.close();
    });
    await expect(runtime.startEngine(handle)).rejects.toMatchObject({
      code: 'ENGINE_START_FAILED',
      message: expect.stringContaining(String(port)),
    });
    expect(await runtime.listEngines()).toEqual([]);
  });

  it('has no URL while a stranger listens on its port, and has it once it listens there itself', async () => {
    const { open } = await createDirectory();
    const runtime = await open();
    // The child of a shell listens, as with engines that have a launcher in front.
    const script = 'read -r go < "$GO"; "$@" & wait';
    const directory = await mkdtemp(join(tmpdir(), 'berth-go-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const go = join(directory, 'go');
    execFileSync('mkfifo', [go]);
    const command = ['/bin/sh', '-c', script, 'engine', process.execPath, program];
    const handle = await start(runtime, specOf({ command, env: { GO: go } }));
    const urlOf = async (): Promise<string | null> => (await runtime.inspectEngine(handle))?.urls.loopback ?? null;
    const url = await urlOf();
    const port = Number(new URL(url ?? 'http://x').port);
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
    expect(await urlOf()).toBeNull();
    expect((await runtime.listEngines())[0]?.status.urls.loopback).toBeNull();
    await new Promise((resolve) => stranger.close(resolve));
    expect(await urlOf()).toBe(url);
    await writeFile(go, 'go\n');
    await eventually('the engine answers', () => isAnswering(url));
    expect(await urlOf()).toBe(url);
  });

  it('is listed without identity when its record is of another version, and can be stopped', async () => {
    const { runDirectory, open } = await createDirectory();
    const runtime = await open();
    const spec = specOf();
    const handle = await start(runtime, spec);
    const file = join(runDirectory, `${spec.containerName}.json`);
    const record = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...record, identity: '{"version":99}' }));
    const [listed] = await runtime.listEngines();
    expect(listed).toMatchObject({ handle, identity: null, status: { state: 'running' } });
    await runtime.stopEngine(handle, { graceMs: 5000 });
    expect((await runtime.inspectEngine(handle))?.state).toBe('exited');
  });

  it('has another image id once its program changes', async () => {
    const { runDirectory, open } = await createDirectory();
    const runtime = await open();
    const path = join(runDirectory, 'tool');
    await writeFile(path, '#!/bin/sh\n', { mode: 0o755 });
    const before = await runtime.resolveImageId('ignored', [path]);
    await writeFile(path, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    expect(await runtime.resolveImageId('ignored', [path])).not.toBe(before);
  });

  it('is refused by a name that would leave the run directory', async () => {
    const { open } = await createDirectory();
    const runtime = await open();
    await expect(runtime.createEngine(specOf({ containerName: '../outside' }))).rejects.toMatchObject({ code: 'ENGINE_START_FAILED' });
  });
});
