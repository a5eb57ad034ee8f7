import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SimulatorError } from '../errors.ts';
import { createEngineApi } from './engine-api.ts';
import type { EngineApi } from './engine-api.ts';
import { installHook } from './install-hook.ts';

export interface DockerEngineOptions {
  /** Holds everything of this engine: data, sockets, log. Keep it short: unix sockets allow about 100 characters. */
  directory: string;
  /** State directory of the simulated host whose GPUs this engine gives out. */
  stateDirectory: string;
  /** Search path for dockerd, containerd and runc. */
  path: string;
  /**
   * Lets the engine write packet filter rules, which networks need for isolation from each other and for the outside world. Off by
   * default: rules are shared by the whole machine, and another engine's would be rewritten.
   */
  iptables?: boolean;
  /** Containers outlive a dockerd that ends or is killed, until it is started again. Off by default. */
  liveRestore?: boolean;
}

export interface DockerEngine {
  readonly socketPath: string;
  readonly pid: number;
  readonly api: EngineApi;
  /** Removes all containers and networks and stops the engine. Its images stay for the next start, unless `removeData`. */
  stop(options?: { removeData?: boolean }): Promise<void>;
}

const startTimeoutMs = 60_000;

/**
 * A private Docker engine with simulated GPUs. Started once per directory, however often and from however many processes it is called
 * one after another; it outlives its caller and stops only by `stop()`. Needs root. Throws `TOOL_MISSING` without dockerd on the path
 * and `DOCKER_ENGINE_FAILED` with the end of its log when it does not come up.
 */
export async function startDockerEngine(options: DockerEngineOptions): Promise<DockerEngine> {
  const { directory } = options;
  const socketPath = join(directory, 'docker.sock');
  const pidPath = join(directory, 'docker.pid');
  const running = readLivingPid(pidPath);
  const api = createEngineApi(socketPath);
  const pid = running ?? (await launch(options, socketPath, pidPath));
  await awaitAnswer(api, pid, join(directory, 'dockerd.log'));
  return { socketPath, pid, api, stop: async ({ removeData = false } = {}) => await stopEngine({ api, pid, directory, removeData }) };
}

async function launch(options: DockerEngineOptions, socketPath: string, pidPath: string): Promise<number> {
  const { directory, stateDirectory, iptables = false, liveRestore = false } = options;
  if (!options.path.split(delimiter).some((part) => existsSync(join(part, 'dockerd')))) {
    throw new SimulatorError('TOOL_MISSING', 'dockerd is not on the path: install the package docker.io');
  }
  mkdirSync(directory, { recursive: true });
  // A killed engine leaves its pid files. dockerd would refuse to start, or wait for its containerd (which dies with it), if such an id
  // is somebody else's by now or belongs to a dead process that nobody waits for.
  for (const path of [pidPath, join(directory, 'exec/containerd/containerd.pid')]) rmSync(path, { force: true });
  const hookDirectory = join(directory, 'bin');
  installHook(hookDirectory, stateDirectory);
  const output = openSync(join(directory, 'dockerd.log'), 'a');
  // The machine's own daemon.json is not for this engine.
  const configPath = join(directory, 'daemon.json');
  writeFileSync(configPath, '{}\n');
  const flags = {
    host: `unix://${socketPath}`,
    pidfile: pidPath,
    'config-file': configPath,
    'data-root': join(directory, 'data'),
    'exec-root': join(directory, 'exec'),
    // docker0 is one per machine and may belong to another engine; networks that are created by name get bridges of their own.
    bridge: 'none',
    iptables: String(iptables),
    ip6tables: 'false',
    'ip-forward': String(iptables),
    'ip-masq': String(iptables),
    'live-restore': String(liveRestore),
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = spawn('dockerd', args, {
    env: { PATH: [hookDirectory, options.path].join(delimiter), DOCKER_TMPDIR: join(directory, 'tmp') },
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.unref();
  return await new Promise((resolve, reject) => {
    child.on('error', (cause) => reject(new SimulatorError('DOCKER_ENGINE_FAILED', 'dockerd could not be started', { cause })));
    child.on('spawn', () => resolve(child.pid ?? 0));
  });
}

async function awaitAnswer(api: EngineApi, pid: number, logPath: string): Promise<void> {
  const deadlineMs = Date.now() + startTimeoutMs;
  for (;;) {
    try {
      await api.call('GET', '/_ping');
      return;
    } catch (cause) {
      if (Date.now() > deadlineMs || !isAlive(pid)) {
        const end = existsSync(logPath) ? readFileSync(logPath, 'utf8').slice(-2000) : '';
        throw new SimulatorError('DOCKER_ENGINE_FAILED', `dockerd did not come up; the end of its log:\n${end}`, { cause });
      }
    }
    await sleep(100);
  }
}

async function stopEngine(engine: { api: EngineApi; pid: number; directory: string; removeData: boolean }): Promise<void> {
  const { api, pid, directory, removeData } = engine;
  for (const container of await api.read<{ Id: string }[]>('/containers/json?all=1')) {
    await api.call('DELETE', `/containers/${container.Id}?force=1&v=1`);
  }
  for (const network of await api.read<{ Id: string; Driver: string }[]>('/networks')) {
    if (network.Driver === 'bridge') await api.call('DELETE', `/networks/${network.Id}`);
  }
  process.kill(pid, 'SIGTERM');
  const deadlineMs = Date.now() + 30_000;
  while (isAlive(pid) && Date.now() < deadlineMs) await sleep(50);
  if (isAlive(pid)) throw new SimulatorError('DOCKER_ENGINE_FAILED', `dockerd ${pid} did not end within 30 s of SIGTERM`);
  unmountBelow(directory);
  if (removeData) rmSync(directory, { recursive: true, force: true });
}

/** A dockerd that was killed earlier leaves its data directory mounted on itself. */
function unmountBelow(directory: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).toReversed()) execFileSync('umount', [mount]);
}

function readLivingPid(pidPath: string): number | undefined {
  if (!existsSync(pidPath)) return undefined;
  const pid = Number(readFileSync(pidPath, 'utf8'));
  return isAlive(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('dockerd') ? pid : undefined;
}

/** A child that has ended but was not waited for yet counts as ended. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
