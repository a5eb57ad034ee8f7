import type { EngineRuntime } from '@berth/core';
import { OperationalError } from '@berth/core';
import type { DockerClient } from './docker-client.ts';
import { orNull, refusal, toOperationalError } from './docker-client.ts';
import { isFinalRegistryAnswer } from './docker-texts.ts';
import type { PullEvent } from './pull-progress.ts';
import { PullMeter } from './pull-progress.ts';
import { readLines } from './read-lines.ts';

/** Id of an image on this Docker engine; `null` when it is not there. */
export async function findImageId(client: DockerClient, image: string): Promise<string | null> {
  const found = await orNull(client.call(`describe the image ${image}`, () => client.docker.getImage(image).inspect()));
  return found === null ? null : found.Id;
}

/**
 * Pulls an image and returns its id. Throws `IMAGE_MISSING` with the registry's answer: not retryable where the registry says that there is
 * no such image, retryable where it could not be asked. An abort rejects with the signal's reason.
 */
export async function pullImage(
  client: DockerClient,
  socketPath: string,
  image: string,
  { onProgress, signal }: Parameters<EngineRuntime['pullImage']>[1],
): Promise<string> {
  signal.throwIfAborted();
  try {
    // A reference without a tag or digest would pull every tag.
    const reference = /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
    const stream: NodeJS.ReadableStream = await client.docker.pull(reference, { abortSignal: signal });
    const meter = new PullMeter();
    for await (const line of readLines(stream)) {
      signal.throwIfAborted();
      const event = parseEvent(line);
      if (event?.error !== undefined) throw pullFailed(image, event.error);
      if (event !== null) onProgress(meter.add(event));
    }
  } catch (error) {
    signal.throwIfAborted();
    const failure = toOperationalError(`pull ${image}`, socketPath, error);
    const refused = refusal(failure);
    throw refused === null ? failure : pullFailed(image, refused.answer);
  }
  signal.throwIfAborted();
  const id = await findImageId(client, image);
  if (id === null) throw pullFailed(image, 'the pull ended and the image is still not there');
  return id;
}

function parseEvent(line: string): PullEvent | null {
  try {
    return JSON.parse(line) as PullEvent;
  } catch {
    return null; // keep-alive or cut line: progress only, the image itself is looked for at the end
  }
}

function pullFailed(image: string, answer: string): OperationalError {
  return new OperationalError({
    code: 'IMAGE_MISSING',
    message: `The image ${image} could not be pulled: ${answer}. Check the name and tag, \`docker login\` for a private registry, and the network; or load it with \`docker load\`.`,
    retryable: !isFinalRegistryAnswer(answer),
    details: { image, answer },
  });
}
