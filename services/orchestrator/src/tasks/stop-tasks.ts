import type { EngineHandle, EngineRuntime, Generation, StoppingEndpoint } from '@berth/core';
import type { Logger } from '@berth/telemetry';
import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS = 1_000;

/** Stops engines outside the worker: SIGTERM may take its whole grace. Tried again until the runtime confirms that no process is left. */
export class StopTasks {
  readonly #runtime: EngineRuntime;
  readonly #graceMs: number;
  readonly #log: Logger;
  readonly #onExit: (endpoint: StoppingEndpoint) => void;
  readonly #tasks = new Map<Generation, { exited: boolean; readonly abort: AbortController }>();

  constructor(options: { runtime: EngineRuntime; graceMs: number; log: Logger; onExit: (endpoint: StoppingEndpoint) => void }) {
    this.#runtime = options.runtime;
    this.#graceMs = options.graceMs;
    this.#log = options.log;
    this.#onExit = options.onExit;
  }

  /** Whether no process of the endpoint is left; begins to stop it at the first call. */
  isExited(endpoint: StoppingEndpoint, handle: EngineHandle): boolean {
    const known = this.#tasks.get(endpoint.generation);
    if (known !== undefined) return known.exited;
    const task = { exited: false, abort: new AbortController() };
    this.#tasks.set(endpoint.generation, task);
    void this.#stop(endpoint, handle, task.abort.signal).then((exited) => {
      if (!exited) return;
      task.exited = true;
      this.#onExit(endpoint);
    });
    return false;
  }

  forget(generation: Generation): void {
    this.#tasks.get(generation)?.abort.abort();
    this.#tasks.delete(generation);
  }

  [Symbol.dispose](): void {
    for (const generation of this.#tasks.keys()) this.forget(generation);
  }

  async #stop(endpoint: StoppingEndpoint, handle: EngineHandle, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        await this.#runtime.stopEngine(handle, { graceMs: endpoint.kill ? 0 : this.#graceMs });
        return true;
      } catch (error) {
        this.#log.error({ err: error, model: endpoint.model, generation: endpoint.generation }, 'engine stop failed');
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return false;
  }
}
