import { OperationalError } from '@berth/core';
import type Docker from 'dockerode';
import type { DockerClient } from './docker-client.ts';
import { isRefusal, orNull, queryOnly, refusal } from './docker-client.ts';
import { readStartObstacle } from './docker-texts.ts';
import type { Alternatives } from './describe-alternative.ts';
import { describeAlternative, nothingRefused } from './describe-alternative.ts';
import { GPU_DRIVER_REMEDY, readDeviceRequests } from './gpu-driver.ts';
import { readStatus } from './read-container.ts';

export interface StartContext extends Alternatives {
  readonly client: DockerClient;
}

/** A container may pull its image's layers into a new file system and wait for GPUs to wake. */
const START_TIMEOUT_MS = 120_000;
const REMOVE_TIMEOUT_MS = 60_000;
const MOST_ATTEMPTS = 40;

/**
 * Starts a created container. Where its address, its port or the way of handing out GPUs is refused, the container is made anew under
 * the same name with the next one. An engine that runs or has run is left alone. Throws `ENGINE_START_FAILED` with Docker's text; what
 * could not be started is removed.
 */
export async function startContainer(context: StartContext, name: string): Promise<void> {
  const refused = nothingRefused();
  for (let attempt = 1; ; attempt += 1) {
    const container = await inspectContainer(context.client, name);
    if (container === null) throw startFailed(name, 'its container is gone', 'Load the model again.', true);
    if (readStatus(container, context.network).state !== 'created') return;
    try {
      await context.client.call(
        `start ${name}`,
        (signal) => context.client.docker.getContainer(name).start(queryOnly({}, signal)),
        START_TIMEOUT_MS,
      );
      const requested = readDeviceRequests(container.HostConfig.DeviceRequests);
      if (requested !== null) context.gpuDriver.remember(requested.kind);
      return;
    } catch (error) {
      if (isRefusal(error, 304)) return; // started meanwhile
      const answer = refusal(error)?.answer;
      if (answer === undefined) throw error; // unknown outcome: the caller looks again
      const obstacle = attempt < MOST_ATTEMPTS ? readStartObstacle(answer) : null;
      const changed = obstacle === null ? null : await describeAlternative(context, container, obstacle, refused);
      await removeContainer(context.client, name);
      if (changed === null) throw startFailed(name, answer, remedyFor(answer), obstacle === null);
      await context.client.call(`create ${name} again`, (abortSignal) =>
        context.client.docker.createContainer({ ...changed, abortSignal }),
      );
    }
  }
}

/** Removes a container, running or not, and returns when it is gone. "No such container" is success. */
export async function removeContainer(client: DockerClient, name: string): Promise<void> {
  const container = client.docker.getContainer(name);
  try {
    await client.call(`remove ${name}`, (signal) => container.remove({ force: true, v: false, abortSignal: signal }), REMOVE_TIMEOUT_MS);
  } catch (error) {
    if (isRefusal(error, 404)) return;
    if (!isRefusal(error, 409)) throw error;
    // Somebody else's removal is already in progress.
    await orNull(
      client.call(`remove ${name}`, (signal) => container.wait({ condition: 'removed', abortSignal: signal }), REMOVE_TIMEOUT_MS),
    );
  }
}

/** `null` when there is no such container. */
export function inspectContainer(client: DockerClient, name: string): Promise<Docker.ContainerInspectInfo | null> {
  return orNull(client.call(`describe ${name}`, (abortSignal) => client.docker.getContainer(name).inspect({ abortSignal })));
}

function remedyFor(answer: string): string {
  if (readStartObstacle(answer) === 'no-gpu-driver') return GPU_DRIVER_REMEDY;
  if (/cdi/i.test(answer)) return 'Write the CDI description anew: `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`.';
  return 'Correct what the text names, then load the model again.';
}

/** An engine that could not be started, with the runtime's text and what to do. */
export function startFailed(name: string, why: string, remedy: string, retryable: boolean): OperationalError {
  return new OperationalError({
    code: 'ENGINE_START_FAILED',
    message: `The engine ${name} could not be started: ${why.replace(/[.\s]+$/, '')}. ${remedy}`,
    retryable,
    details: { engine: name, answer: why },
  });
}
