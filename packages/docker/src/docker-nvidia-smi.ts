import { randomUUID } from 'node:crypto';
import type { CommandResult, NvidiaSmiRunner } from '@berth/core';
import { isOperationalError, OperationalError } from '@berth/core';
import type Docker from 'dockerode';
import type { DockerClient } from './docker-client.ts';
import { createDockerClient, isRefusal, orNull, queryOnly, refusal } from './docker-client.ts';
import { readStartObstacle } from './docker-texts.ts';
import type { GpuDriver, GpuDriverSetting } from './gpu-driver.ts';
import { createGpuDriver, deviceRequests, GPU_DRIVER_REMEDY } from './gpu-driver.ts';
import { pullImage } from './images.ts';
import type { Owner } from './labels.ts';
import { LABELS } from './labels.ts';
import { joinCommands, splitResults } from './probe-script.ts';
import { readLog } from './read-log.ts';
import { removeContainer } from './start-container.ts';

export interface DockerNvidiaSmiOptions extends Owner {
  /** Default `/var/run/docker.sock`. */
  readonly socketPath?: string;
  /** Any image with glibc and a shell: the NVIDIA toolkit puts nvidia-smi into it. Pulled when it is not there. */
  readonly probeImage: string;
  /** Default `auto`. */
  readonly gpuDriver?: GpuDriverSetting;
  /** For the pull, which `timeoutMs` of a run does not cover; default 10 minutes. */
  readonly pullTimeoutMs?: number;
  readonly nowMs?: () => number;
}

/**
 * Runs nvidia-smi in throw-away containers that see every process of the host: without the host's process namespace the driver leaves out
 * whatever runs in other containers, and an occupied GPU looks idle (NVIDIA open kernel modules, `gpuGetProcWithObject`). They get the
 * capability `utility` on all GPUs, no network and no privilege. Each is removed, also after a time-out; what a crash left is removed by a
 * later run, once nobody can be waiting for it any more.
 */
export function createDockerNvidiaSmi(options: DockerNvidiaSmiOptions): NvidiaSmiRunner {
  const { socketPath = '/var/run/docker.sock', probeImage, pullTimeoutMs = 600_000, nowMs = Date.now } = options;
  const client = createDockerClient(socketPath);
  const gpuDriver = createGpuDriver(options.gpuDriver ?? 'auto');
  const owner = { installationId: options.installationId, hostId: options.hostId };

  async function runProgram(entrypoint: string, args: readonly string[], timeoutMs: number): Promise<CommandResult> {
    await removeLeftovers(client, owner, nowMs());
    const untilMs = nowMs() + timeoutMs;
    for (let kind = gpuDriver.current; ;) {
      const described = describeProbe({ ...options, entrypoint, args, kind, untilMs });
      try {
        const result = await runOnce(client, described, timeoutMs);
        gpuDriver.remember(kind);
        return result;
      } catch (error) {
        const answer = refusal(error)?.answer;
        if (answer === undefined) throw error;
        if (isRefusal(error, 404) && (await isImageMissing())) {
          await pull();
          continue;
        }
        const other = readStartObstacle(answer) === 'no-gpu-driver' ? otherKind(gpuDriver, kind) : null;
        if (other === null) throw probeFailed(probeImage, answer, error);
        kind = other;
      }
    }
  }

  async function isImageMissing(): Promise<boolean> {
    return (await orNull(client.call(`describe the image ${probeImage}`, () => client.docker.getImage(probeImage).inspect()))) === null;
  }

  /** One pull for all who ask meanwhile. */
  let pulling: Promise<string> | null = null;
  function pull(): Promise<string> {
    pulling ??= pullImage(client, socketPath, probeImage, { onProgress: () => {}, signal: AbortSignal.timeout(pullTimeoutMs) }).finally(
      () => {
        pulling = null;
      },
    );
    return pulling;
  }

  const runner: Required<NvidiaSmiRunner> = {
    run: (args, { timeoutMs }) => runProgram('nvidia-smi', args, timeoutMs),
    async runAll(commandLines, { timeoutMs }) {
      const marker = randomUUID();
      try {
        const joined = await runProgram('/bin/sh', ['-c', joinCommands('nvidia-smi', commandLines, marker)], timeoutMs);
        const results = splitResults(joined, commandLines.length, marker);
        // What a shell says of a program that it cannot find or run; nvidia-smi has no such codes.
        const unrunnable = results?.find((result) => result.exitCode === 126 || result.exitCode === 127);
        if (unrunnable !== undefined) throw probeFailed(probeImage, unrunnable.stderr.trim(), null);
        if (results !== null) return results;
      } catch (error) {
        // An image without a shell cannot run several in one container.
        if (!isOperationalError(error, 'GPU_PROBE_FAILED') || refusal(error) === null) throw error;
      }
      const results: CommandResult[] = [];
      for (const args of commandLines) results.push(await runner.run(args, { timeoutMs }));
      return results;
    },
  };
  return runner;
}

/** The way that was not tried yet in this run, which begins with the current one. */
function otherKind(driver: GpuDriver, tried: GpuDriver['current']): GpuDriver['current'] | null {
  return tried === driver.current ? driver.other(tried) : null;
}

function describeProbe(probe: {
  readonly installationId: string;
  readonly hostId: string;
  readonly probeImage: string;
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly kind: GpuDriver['current'];
  readonly untilMs: number;
}): Docker.ContainerCreateOptions {
  return {
    name: `berth-probe-${randomUUID()}`,
    Image: probe.probeImage,
    Entrypoint: [probe.entrypoint],
    Cmd: [...probe.args],
    Labels: { [LABELS.installation]: probe.installationId, [LABELS.host]: probe.hostId, [LABELS.probeUntil]: String(probe.untilMs) },
    HostConfig: {
      PidMode: 'host',
      NetworkMode: 'none',
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      SecurityOpt: ['no-new-privileges'],
      CapDrop: ['ALL'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m' } },
      DeviceRequests: deviceRequests(probe.kind, 'all', ['utility']),
    },
  };
}

/** Create, start, wait, read, remove. `timeoutMs` is for the program and for Docker's own work together. */
async function runOnce(client: DockerClient, described: Docker.ContainerCreateOptions, timeoutMs: number): Promise<CommandResult> {
  const name = described.name ?? '';
  const deadline = performance.now() + timeoutMs;
  const left = (): number => Math.max(1, Math.ceil(deadline - performance.now()));
  const container = client.docker.getContainer(name);
  try {
    await client.call(
      'create a container for nvidia-smi',
      (abortSignal) => client.docker.createContainer({ ...described, abortSignal }),
      left(),
    );
    await client.call('start the container for nvidia-smi', (signal) => container.start(queryOnly({}, signal)), left());
    const ended = await waitForEnd(client, name, left(), timeoutMs);
    const raw = await client.call(
      'give the output of nvidia-smi',
      (abortSignal) => container.logs({ stdout: true, stderr: true, follow: false, abortSignal }),
      left(),
    );
    const { stdout, stderr } = readLog(raw);
    return { exitCode: ended, stdout, stderr };
  } finally {
    // Not awaited by a caller whose time is up: a hung driver holds a killed container for long.
    const removed = removeContainer(client, name).catch(() => {});
    if (performance.now() < deadline) await removed;
  }
}

async function waitForEnd(client: DockerClient, name: string, leftMs: number, timeoutMs: number): Promise<number> {
  try {
    const ended = (await client.call(
      'end the container for nvidia-smi',
      (signal) => client.docker.getContainer(name).wait({ condition: 'not-running', abortSignal: signal }),
      leftMs,
    )) as { readonly StatusCode: number };
    return ended.StatusCode;
  } catch (error) {
    throw isTimeout(error) ? probeTimedOut(timeoutMs, error) : error;
  }
}

async function removeLeftovers(client: DockerClient, owner: Owner, nowMs: number): Promise<void> {
  const label = [`${LABELS.installation}=${owner.installationId}`, `${LABELS.host}=${owner.hostId}`, LABELS.probeUntil];
  const found = await client.call('list its containers', (abortSignal) =>
    client.docker.listContainers({ all: true, filters: { label }, abortSignal }),
  );
  const over = found.filter((container) => Number(container.Labels[LABELS.probeUntil]) < nowMs);
  await Promise.all(over.map(({ Id }) => removeContainer(client, Id).catch(() => {}))); // one that is stuck must not stop the next reading
}

function isTimeout(error: unknown): boolean {
  return isOperationalError(error, 'DOCKER_UNAVAILABLE') && 'timeoutMs' in error.details;
}

function probeTimedOut(timeoutMs: number, cause: unknown): OperationalError {
  return new OperationalError({
    code: 'GPU_PROBE_FAILED',
    message:
      `nvidia-smi did not answer from its container within ${timeoutMs} ms. Run \`nvidia-smi\` on the host: ` +
      'if it hangs too, the driver needs a reset of the GPU or a reboot; if it is slow, switch persistence mode on.',
    retryable: true,
    details: { timeoutMs },
    cause,
  });
}

function probeFailed(image: string, answer: string, cause: unknown): OperationalError {
  const remedy =
    readStartObstacle(answer) === 'no-gpu-driver'
      ? GPU_DRIVER_REMEDY
      : `The image needs glibc, and the NVIDIA container toolkit has to put nvidia-smi into it; \`host.probeImage\` chooses another.`;
  return new OperationalError({
    code: 'GPU_PROBE_FAILED',
    message: `nvidia-smi could not be run in a container of ${image}: ${answer.replace(/[.\s]+$/, '')}. ${remedy}`,
    retryable: false,
    details: { image, answer, ...refusal(cause) },
    cause,
  });
}
