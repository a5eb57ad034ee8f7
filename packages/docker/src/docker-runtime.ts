import type { EngineHandle, EngineRuntime, EngineSpec, InstallationId } from '@berth/core';
import { asId, OperationalError } from '@berth/core';
import type Docker from 'dockerode';
import { createDockerClient, isRefusal, orNull, refusal } from './docker-client.ts';
import { describeContainer } from './describe-container.ts';
import type { EngineNetworkOptions } from './ensure-engine-network.ts';
import { ensureEngineNetwork } from './ensure-engine-network.ts';
import type { GpuDriverSetting } from './gpu-driver.ts';
import { createGpuDriver } from './gpu-driver.ts';
import { findImageId, pullImage } from './images.ts';
import { engineFilter, LABELS } from './labels.ts';
import { pickAddress } from './pick-address.ts';
import { nameOf, readEngine, readStatus } from './read-container.ts';
import { readLog } from './read-log.ts';
import { inspectContainer, removeContainer, startContainer, startFailed } from './start-container.ts';
import { stopContainer } from './stop-container.ts';
import { watchExits } from './watch-exits.ts';

export interface DockerRuntimeOptions {
  /** Default `/var/run/docker.sock`. */
  readonly socketPath?: string;
  readonly installationId: InstallationId;
  readonly hostId: string;
  /** The engine network; created when it is not there. */
  readonly network: EngineNetworkOptions;
  /**
   * `network`: engines are reached by name or bridge address, and no port is published. `loopback`: each also gets a port of 127.0.0.1, for
   * hosts that cannot reach bridge addresses (Docker in a virtual machine). Default `network`.
   */
  readonly reach?: 'network' | 'loopback';
  /** Ports for `loopback`; default 21000 to 21999. */
  readonly portRange?: { readonly first: number; readonly last: number };
  /** Default `auto`. */
  readonly gpuDriver?: GpuDriverSetting;
  readonly nowMs?: () => number;
}

/**
 * Runs engines as containers of a Docker engine. Their handles are container names, which carry the generation and are never used twice, so
 * a container can be made anew under its handle. An engine runs once: starting one that has exited does nothing. A failed start leaves
 * nothing behind.
 */
export function createDockerRuntime(options: DockerRuntimeOptions): EngineRuntime {
  const { socketPath = '/var/run/docker.sock', installationId, hostId, network, reach = 'network', nowMs = Date.now } = options;
  const { first, last } = options.portRange ?? { first: 21_000, last: 21_999 };
  const client = createDockerClient(socketPath);
  const { docker } = client;
  const gpuDriver = createGpuDriver(options.gpuDriver ?? 'auto');
  const owner = { installationId, hostId };

  async function inspectAll(): Promise<readonly Docker.ContainerInspectInfo[]> {
    const found = await client.call('list its containers', (abortSignal) =>
      docker.listContainers({ all: true, filters: { label: engineFilter(owner) }, abortSignal }),
    );
    const inspected = await Promise.all(found.map(({ Id }) => inspectContainer(client, Id)));
    return inspected.filter((container) => container !== null);
  }

  async function nextAddress(refused: ReadonlySet<string>): Promise<string | null> {
    const plan = await ensureEngineNetwork(client, network, installationId);
    const ours = (await inspectAll()).map((container) => container.Config.Labels[LABELS.address]);
    return pickAddress(plan, new Set([...refused, ...ours.filter((address) => address !== undefined)]), nowMs());
  }

  /** Like addresses, ports come round again only after as many seconds as there are ports. */
  async function nextPort(refused: ReadonlySet<number>): Promise<number> {
    const ours = (await inspectAll()).map((container) =>
      Number(new URL(readStatus(container, network.name).urls.loopback ?? 'http://x:0').port),
    );
    const count = last - first + 1;
    const offset = Math.floor(nowMs() / 1000);
    for (let step = 0; step < count; step += 1) {
      const port = first + ((offset + step) % count);
      if (!refused.has(port) && !ours.includes(port)) return port;
    }
    throw new OperationalError({
      code: 'ENGINE_START_FAILED',
      message: `No port of 127.0.0.1 is free between ${first} and ${last}. Stop what listens there.`,
      retryable: true,
      details: { first, last },
    });
  }

  async function createContainer(spec: EngineSpec): Promise<void> {
    const described = describeContainer(
      spec,
      {
        network: network.name,
        address: await nextAddress(new Set()),
        loopbackPort: reach === 'loopback' ? await nextPort(new Set()) : null,
      },
      gpuDriver.current,
    );
    try {
      await client.call(`create ${spec.containerName}`, (abortSignal) => docker.createContainer({ ...described, abortSignal }), 60_000);
    } catch (error) {
      if (isRefusal(error, 409)) return; // somebody was faster
      if (isRefusal(error, 404)) throw imageMissing(spec.image);
      const answer = refusal(error)?.answer;
      throw answer === undefined
        ? error
        : startFailed(spec.containerName, answer, 'Correct what the text names, then load the model again.', false);
    }
  }

  /** A name that somebody else's container has is not ours to start, stop or remove. */
  function checkOwner(name: string, container: Docker.ContainerInspectInfo): void {
    const labels = container.Config.Labels;
    if (labels[LABELS.installation] === installationId && labels[LABELS.host] === hostId) return;
    throw startFailed(name, 'a container of that name belongs to somebody else', `Remove it: \`docker rm -f ${name}\`.`, false);
  }

  return {
    kind: 'docker',
    resolveImageId: (image) => findImageId(client, image),
    pullImage: (image, pullOptions) => pullImage(client, socketPath, image, pullOptions),
    async createEngine(spec) {
      const handle = asId<EngineHandle>(spec.containerName);
      let container = await inspectContainer(client, handle);
      if (container === null) {
        await createContainer(spec);
        container = await inspectContainer(client, handle);
      }
      if (container === null) throw startFailed(handle, 'its container vanished as soon as it was created', 'Load the model again.', true);
      checkOwner(handle, container);
      return handle;
    },
    startEngine: (handle) => startContainer({ client, network: network.name, gpuDriver, nextAddress, nextPort }, handle),
    async inspectEngine(handle) {
      const container = await inspectContainer(client, handle);
      return container === null ? null : readStatus(container, network.name);
    },
    stopEngine: (handle, { graceMs }) => stopContainer(client, handle, graceMs),
    removeEngine: (handle) => removeContainer(client, handle),
    listEngines: async () => (await inspectAll()).map((container) => readEngine(container, network.name)),
    async processIds(handle) {
      try {
        const top = (await client.call(`list the processes of ${handle}`, (signal) =>
          docker.getContainer(handle).top({ ps_args: '-eo pid', abortSignal: signal }),
        )) as { readonly Titles: readonly string[]; readonly Processes: readonly (readonly string[])[] | null };
        const column = top.Titles.indexOf('PID');
        return (top.Processes ?? []).map((row) => Number(row[column])).filter((pid) => pid > 0);
      } catch (error) {
        const container = await inspectContainer(client, handle); // Docker has no list for a container that does not run
        if (container?.State.Running !== true) return [];
        throw error;
      }
    },
    async readLog(handle, { lines }) {
      if (lines <= 0) return [];
      const raw = await orNull(
        client.call(`read the log of ${handle}`, (abortSignal) =>
          docker.getContainer(handle).logs({ stdout: true, stderr: true, follow: false, tail: lines, abortSignal }),
        ),
      );
      return raw === null ? [] : readLog(raw).lines.slice(-lines);
    },
    watchExits: (onExit) =>
      watchExits({
        client,
        owner,
        onExit,
        listExited: async () =>
          (await inspectAll())
            .filter((container) => readStatus(container, network.name).state === 'exited')
            .map((container) => asId<EngineHandle>(nameOf(container))),
      }),
  };
}

function imageMissing(image: string): OperationalError {
  return new OperationalError({
    code: 'IMAGE_MISSING',
    message: `The image ${image} is not on this Docker engine. Pull it (\`docker pull ${image}\`) or load it (\`docker load\`).`,
    retryable: false,
    details: { image },
  });
}
