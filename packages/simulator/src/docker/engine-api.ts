import { request } from 'node:http';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { SimulatorError } from '../errors.ts';

/** The little of the Docker Engine API that the simulated host needs, without a client library. */
export interface EngineApi {
  /** The answer's body. Throws `DOCKER_ENGINE_FAILED` for a status of 400 and above or a connection that fails. */
  call(method: string, path: string, body?: Readable, contentType?: string): Promise<string>;
  /** The same, read as JSON. */
  read<Value>(path: string): Promise<Value>;
}

export function createEngineApi(socketPath: string): EngineApi {
  const call: EngineApi['call'] = async (method, path, body, contentType = 'application/json') => {
    const answer = Promise.withResolvers<string>();
    const outgoing = request(
      { socketPath, method, path, headers: body === undefined ? {} : { 'content-type': contentType } },
      (response) => {
        text(response).then((content) => {
          if ((response.statusCode ?? 500) < 400) answer.resolve(content);
          else
            answer.reject(new SimulatorError('DOCKER_ENGINE_FAILED', `${method} ${path}: ${response.statusCode ?? 0} ${content.trim()}`));
        }, answer.reject);
      },
    );
    outgoing.on('error', (cause) => {
      answer.reject(new SimulatorError('DOCKER_ENGINE_FAILED', `${method} ${path}: no answer at ${socketPath}`, { cause }));
    });
    if (body === undefined) outgoing.end();
    else body.pipe(outgoing);
    return await answer.promise;
  };
  return { call, read: async <Value>(path: string) => JSON.parse(await call('GET', path)) as Value };
}
