import { OperationalError } from '@berth/core';
import Docker from 'dockerode';

/** The Docker engine behind a deadline for every call. Private to this package: dockerode's types stay here. */
export interface DockerClient {
  readonly docker: Docker;
  /**
   * Throws `DOCKER_UNAVAILABLE` when the engine cannot be reached, does not answer in time, or refuses; `refusal` tells the last apart.
   * `what` completes "Docker did not …".
   */
  call<Result>(what: string, action: (signal: AbortSignal) => Promise<Result>, timeoutMs?: number): Promise<Result>;
}

/** For calls that touch no disk and no process. */
const USUAL_TIMEOUT_MS = 30_000;

/** Connects to a local engine by its socket. Nothing is sent before the first call. */
export function createDockerClient(socketPath: string): DockerClient {
  const docker = new Docker({ socketPath });
  return {
    docker,
    async call(what, action, timeoutMs = USUAL_TIMEOUT_MS) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        return await Promise.race([action(signal), rejectOnAbort(signal)]); // not every call of dockerode takes the signal
      } catch (error) {
        throw signal.aborted ? timedOut(what, timeoutMs, error) : toOperationalError(what, socketPath, error);
      }
    },
  };
}

/** HTTP status and text of a refusal by the Docker engine; `null` for any other error. */
export function refusal(error: unknown): { readonly status: number; readonly answer: string } | null {
  if (!(error instanceof OperationalError)) return null;
  const { status, answer } = error.details;
  return typeof status === 'number' && typeof answer === 'string' ? { status, answer } : null;
}

/** True for a refusal with one of the statuses. */
export function isRefusal(error: unknown, ...statuses: readonly number[]): boolean {
  const refused = refusal(error);
  return refused !== null && statuses.includes(refused.status);
}

/** `null` instead of an error for a thing that is not there (404). */
export async function orNull<Result>(promise: Promise<Result>): Promise<Result | null> {
  try {
    return await promise;
  } catch (error) {
    if (isRefusal(error, 404)) return null;
    throw error;
  }
}

/**
 * Options for a POST whose parameters belong in the query: dockerode 5 would send them as a body too, abort signal included, and
 * Docker refuses to start a container with a body.
 */
export function queryOnly(query: Readonly<Record<string, unknown>>, signal: AbortSignal): { abortSignal: AbortSignal } {
  const options = { _query: query, _body: {}, abortSignal: signal };
  return options;
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    });
  });
}

function timedOut(what: string, timeoutMs: number, cause: unknown): OperationalError {
  return new OperationalError({
    code: 'DOCKER_UNAVAILABLE',
    message: `Docker did not ${what} within ${timeoutMs} ms. Look at \`docker ps\` and at the engine's own log (\`journalctl -u docker\`).`,
    retryable: true,
    details: { timeoutMs },
    cause,
  });
}

/** Translates any error of dockerode: a refusal keeps its status and text, everything else is a connection that failed. */
export function toOperationalError(what: string, socketPath: string, error: unknown): OperationalError {
  if (error instanceof OperationalError) return error;
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    const answer = answerOf(error);
    return new OperationalError({
      code: 'DOCKER_UNAVAILABLE',
      message: `Docker did not ${what}: ${answer} (HTTP ${error.statusCode}).`,
      retryable: true,
      details: { status: error.statusCode, answer },
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new OperationalError({
    code: 'DOCKER_UNAVAILABLE',
    message:
      `Docker did not ${what}: no connection through ${socketPath} (${reason}). ` +
      'Start the Docker engine, and give this process access to its socket (group `docker`, or the mounted socket).',
    retryable: true,
    details: { socketPath },
    cause: error,
  });
}

function answerOf(error: Error): string {
  const json: unknown = 'json' in error ? error.json : null;
  if (typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string') return json.message;
  // Of a call that answers with a stream dockerode keeps the text alone, behind its own.
  return error.message.replace(/^\(HTTP code \d+\) .*? - /, '').trim();
}
