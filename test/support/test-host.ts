import { createSimulatedHost, type GpuDescription, type ModelProfile, type SimulatedHost } from '@berth/simulator';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { useDockerEngine, type TestDockerEngine } from './docker-engine.ts';
import { isProcessAlive } from './reachability.ts';

/** An engine as the runtime itself shows it, whatever Berth believes. */
export interface EngineUnderTest {
  readonly name: string;
  readonly running: boolean;
  readonly pid: number;
  /** Ends it from outside, as an operator or the kernel would. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
}

/** The part of Docker's own description of a container that tests look at. */
export interface ContainerUnderTest {
  readonly Config: { readonly Env: readonly string[]; readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: {
    readonly ShmSize: number;
    readonly Privileged: boolean;
    readonly DeviceRequests: readonly unknown[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly PortBindings: Readonly<Record<string, unknown>> | null;
  };
  readonly Mounts: readonly { readonly Source: string; readonly Destination: string; readonly RW: boolean }[];
}

/** A machine with simulated GPUs for one test: what the orchestrator needs in its environment and its catalog to use it. */
export interface TestHost extends AsyncDisposable {
  readonly host: SimulatedHost;
  readonly env: Readonly<Record<string, string>>;
  readonly catalog: { readonly host: object; readonly defaults: object };
  engines(): Promise<readonly EngineUnderTest[]>;
  inspect(): Promise<readonly ContainerUnderTest[]>;
}

interface HostOptions {
  readonly directory: string;
  readonly gpus: readonly GpuDescription[];
  readonly profiles: Readonly<Record<string, Partial<ModelProfile>>>;
}

/** Disposing it removes every engine, network and process of the test. */
export async function openTestHost(runtime: 'process' | 'docker', options: HostOptions): Promise<TestHost> {
  return runtime === 'process' ? openProcessHost(options) : openDockerHost(options);
}

async function openProcessHost({ directory, gpus, profiles }: HostOptions): Promise<TestHost> {
  const host = createSimulatedHost(join(directory, 'host'), gpus, profiles);
  const runDirectory = join(directory, 'run');
  const engines = async () => {
    const names = await readdir(runDirectory).catch(() => []);
    const found = await Promise.all(names.filter((name) => name.endsWith('.started')).map((name) => readStarted(join(runDirectory, name))));
    return found.filter((engine) => engine !== null);
  };
  return {
    host,
    env: { ...definedEnvironment(host.withPath(process.env)), BERTH_REACH: 'loopback', BERTH_RUN_DIRECTORY: runDirectory },
    catalog: { host: { runtime: 'process' }, defaults: {} },
    engines,
    inspect: async () => [],
    async [Symbol.asyncDispose]() {
      for (const engine of await engines()) await engine.kill('SIGKILL');
    },
  };
}

async function readStarted(path: string): Promise<EngineUnderTest | null> {
  const [pidText = ''] = (await readFile(path, 'utf8').catch(() => '')).split('\n');
  const pid = Number(pidText);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  return {
    name: basename(path, '.started'),
    running: isProcessAlive(pid),
    pid,
    async kill(signal) {
      try {
        // Its whole session, as an engine's workers outlive their parent for a while.
        process.kill(-pid, signal);
      } catch {
        // Gone already.
      }
    },
  };
}

async function openDockerHost({ directory, gpus, profiles }: HostOptions): Promise<TestHost> {
  const docker = await useDockerEngine(['base', 'engine']);
  const host = createSimulatedHost(dirname(docker.host.stateDirectory), gpus, profiles);
  const installation = basename(directory).toLowerCase();
  return {
    host,
    env: {
      ...definedEnvironment(process.env),
      BERTH_DOCKER_SOCKET: docker.socketPath,
      BERTH_INSTALLATION: installation,
      BERTH_REACH: 'address',
    },
    catalog: {
      host: {
        runtime: 'docker',
        probeImage: docker.images.base,
        huggingfaceCache: join(directory, 'huggingface'),
        vllmCache: join(directory, 'vllm-cache'),
      },
      defaults: { image: docker.images.engine },
    },
    engines: async () => listEngines(docker, await readInstallationId(directory)),
    inspect: async () => {
      const rows = await listContainers(docker, [`berth.installation=${await readInstallationId(directory)}`, 'berth.generation']);
      return Promise.all(rows.map((row) => docker.api.read<ContainerUnderTest>(`/containers/${row.Id}/json`)));
    },
    async [Symbol.asyncDispose]() {
      await removeEverything(docker, await readInstallationId(directory), installation);
    },
  };
}

interface ContainerRow {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly State: string;
}

async function listEngines(docker: TestDockerEngine, installationId: string): Promise<readonly EngineUnderTest[]> {
  const rows = await listContainers(docker, [`berth.installation=${installationId}`, 'berth.generation']);
  const found = await Promise.all(
    rows.map(async (row): Promise<EngineUnderTest | null> => {
      // It may be removed between the two calls.
      const described = await docker.api.read<{ State: { Pid: number } }>(`/containers/${row.Id}/json`).catch(() => null);
      if (described === null) return null;
      return {
        name: (row.Names[0] ?? '').slice(1),
        running: row.State === 'running',
        pid: described.State.Pid,
        async kill(signal: string) {
          await docker.api.call('POST', `/containers/${row.Id}/kill?signal=${signal}`);
        },
      };
    }),
  );
  return found.filter((engine) => engine !== null);
}

function listContainers(docker: TestDockerEngine, labels: readonly string[]): Promise<readonly ContainerRow[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: labels }));
  return docker.api.read<ContainerRow[]>(`/containers/json?all=1&filters=${filters}`);
}

async function removeEverything(docker: TestDockerEngine, installationId: string, installation: string): Promise<void> {
  for (const { Id } of await listContainers(docker, [`berth.installation=${installationId}`])) {
    await docker.api.call('DELETE', `/containers/${Id}?force=1&v=1`).catch(() => undefined);
  }
  await docker.api.call('DELETE', `/networks/${installation}-engines`).catch(() => undefined);
}

async function readInstallationId(directory: string): Promise<string> {
  const text = await readFile(join(directory, 'data', 'installation.json'), 'utf8').catch(() => '{}');
  return (JSON.parse(text) as { installationId?: string }).installationId ?? 'none';
}

function definedEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
