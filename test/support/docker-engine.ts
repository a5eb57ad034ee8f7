import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DockerEngine, SimulatedHost } from '@berth/simulator';
import { buildImages, createSimulatedHost, images, startDockerEngine } from '@berth/simulator';
import { isProcessAlive } from './reachability.ts';

/** The Docker engine of the test runs on this machine, and the GPUs that it gives out. */
export interface TestDockerEngine {
  readonly socketPath: string;
  readonly api: DockerEngine['api'];
  readonly host: SimulatedHost;
  readonly images: typeof images;
}

const directory = join(tmpdir(), 'berth-test-docker');
const usersDirectory = join(directory, 'users');

/**
 * A real, private Docker engine with two simulated GPUs, started on first use and shared by all test files; `stopUnusedDockerEngine` ends it.
 * It carries the images that are named, built of this machine's own files.
 */
export async function useDockerEngine(names: readonly (keyof typeof images)[] = ['base']): Promise<TestDockerEngine> {
  await using lock = await takeLock();
  lock.registerUser(process.ppid);
  const host = createSimulatedHost(join(directory, 'host'), [
    { memoryTotalMiB: 24_576, name: 'Simulated 24 GB' },
    { memoryTotalMiB: 24_576, name: 'Simulated 24 GB' },
  ]);
  const path = process.env['PATH'] ?? '';
  const engine = await startDockerEngine({ directory: join(directory, 'engine'), stateDirectory: host.stateDirectory, path });
  await buildImages(engine.api, path, names);
  return { socketPath: engine.socketPath, api: engine.api, host, images };
}

/** Names of containers that carry a label of Berth; a test that ends well leaves none of its own. */
export async function listBerthContainers(engine: TestDockerEngine, installationId: string): Promise<readonly string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`berth.installation=${installationId}`] }));
  const found = await engine.api.read<{ readonly Names: readonly string[] }[]>(`/containers/json?all=1&filters=${filters}`);
  return found.flatMap((container) => container.Names);
}

/** Stops the engine if `runPid` was the last run that used it; its images stay for the next. */
export async function stopUnusedDockerEngine(runPid: number): Promise<void> {
  await using lock = await takeLock();
  if (!lock.isUser(runPid)) return;
  lock.forgetUser(runPid);
  await stopUnused(lock);
}

/** Stops the engine after a run that was cut short, whose containers and bridges would stand in the way of the next. */
export async function stopAbandonedDockerEngine(): Promise<void> {
  if (!existsSync(join(directory, 'engine'))) return;
  await using lock = await takeLock();
  await stopUnused(lock);
}

async function stopUnused(lock: Lock): Promise<void> {
  if (lock.hasUsers()) return;
  const engine = await startDockerEngine({
    directory: join(directory, 'engine'),
    stateDirectory: join(directory, 'host', 'state'),
    path: process.env['PATH'] ?? '',
  });
  await engine.stop();
}

interface Lock extends AsyncDisposable {
  registerUser(pid: number): void;
  forgetUser(pid: number): void;
  isUser(pid: number): boolean;
  hasUsers(): boolean;
}

/** One process at a time starts and stops the engine; a lock whose holder has died is broken. */
async function takeLock(): Promise<Lock> {
  mkdirSync(usersDirectory, { recursive: true });
  const path = join(directory, 'lock');
  while (!tryWrite(path)) {
    if (!isProcessAlive(readNumber(path))) rmSync(path, { force: true });
    await sleep(50);
  }
  const users = () => readdirSync(usersDirectory).map(Number);
  return {
    registerUser: (pid) => {
      writeFileSync(join(usersDirectory, String(pid)), '');
    },
    forgetUser: (pid) => {
      rmSync(join(usersDirectory, String(pid)), { force: true });
    },
    isUser: (pid) => users().includes(pid),
    hasUsers: () => users().some(isProcessAlive),
    async [Symbol.asyncDispose]() {
      rmSync(path, { force: true });
    },
  };
}

function tryWrite(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    return false;
  }
}

function readNumber(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8')) || process.pid; // just created and not yet written: alive
  } catch {
    return process.pid;
  }
}
