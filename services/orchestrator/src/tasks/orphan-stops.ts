import type { EngineHandle, EngineRuntime, RunningEngine } from '@berth/core';
import type { Logger } from '@berth/telemetry';

/** Stops engines that nobody knows, outside the worker: SIGTERM may take its whole grace. One that could not be stopped is found again. */
export class OrphanStops {
  readonly #options: { readonly runtime: EngineRuntime; readonly graceMs: number; readonly log: Logger };
  readonly #running = new Map<EngineHandle, Promise<void>>();

  constructor(options: { readonly runtime: EngineRuntime; readonly graceMs: number; readonly log: Logger }) {
    this.#options = options;
  }

  /** Begins to stop and remove an engine, unless that is under way. */
  begin(engine: RunningEngine): void {
    const { handle } = engine;
    if (this.#running.has(handle)) return;
    this.#running.set(
      handle,
      this.#stop(engine).finally(() => this.#running.delete(handle)),
    );
  }

  async #stop({ handle, containerName, status, identity }: RunningEngine): Promise<void> {
    const { runtime, graceMs, log } = this.#options;
    try {
      await runtime.stopEngine(handle, { graceMs });
      await runtime.removeEngine(handle);
      log.warn({ containerName, status: status.state, model: identity?.model }, 'orphan stopped');
    } catch (error) {
      log.error({ err: error, containerName }, 'orphan could not be stopped');
    }
  }
}
