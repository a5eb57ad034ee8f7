import { ApiError } from './http/api-error.ts';

/** A response as it is answered; `id` and `status` are read. */
export type StoredResponse = Readonly<Record<string, unknown>> & { readonly id: string; readonly status: string };

/** What `VLLM_ENABLE_RESPONSES_API_STORE=1` keeps: all responses of this process, in memory, for ever. */
export interface ResponseStore {
  keep(response: StoredResponse): void;
  /** Answers later; `run` is aborted by `cancel`, not by a client that leaves. */
  keepRunning(queued: StoredResponse, run: (signal: AbortSignal) => Promise<StoredResponse>): void;
  find(id: string): StoredResponse | undefined;
  /** The response, `cancelled` from then on; `undefined` for one that is not known. Throws vLLM's 400 for one that does not run in the background. */
  cancel(id: string): StoredResponse | undefined;
}

export function createResponseStore(): ResponseStore {
  const kept = new Map<string, StoredResponse>();
  const running = new Map<string, AbortController>();
  const isCancelled = (id: string): boolean => kept.get(id)?.status === 'cancelled';
  return {
    keep: (response) => void kept.set(response.id, response),
    keepRunning: (queued, run) => {
      const { id } = queued;
      const abort = new AbortController();
      kept.set(id, queued);
      running.set(id, abort);
      void run(abort.signal)
        .catch((): StoredResponse => ({ ...queued, status: 'failed' }))
        .then((response) => {
          if (!isCancelled(id)) kept.set(id, response);
          running.delete(id);
        });
    },
    find: (id) => kept.get(id),
    cancel: (id) => {
      const response = kept.get(id);
      if (response === undefined) return undefined;
      if (!running.has(id) || isCancelled(id)) {
        throw new ApiError(400, 'invalid_request_error', 'Cannot cancel a synchronous response.', 'response_id');
      }
      const cancelled = { ...response, status: 'cancelled' };
      kept.set(id, cancelled);
      running.get(id)?.abort();
      return cancelled;
    },
  };
}

export function responseNotFound(id: string): ApiError {
  return new ApiError(404, 'invalid_request_error', `Response with id '${id}' not found.`, 'response_id');
}

/** The refusal of background mode by an engine that keeps nothing. */
export function noResponseStore(): ApiError {
  const message =
    'This vLLM engine does not support `store=True` and therefore does not support the background mode. To enable these features, set the ' +
    'environment variable `VLLM_ENABLE_RESPONSES_API_STORE=1` when launching the vLLM server.';
  return new ApiError(400, 'invalid_request_error', message, 'background');
}
