import type { EngineHandle } from '@berth/core';

/**
 * Tells who has ended, by looking again and again: an adopted engine is not our child, and nobody else would say so. Each engine that
 * ends after `begin` is reported once per watch. `isRunning` answers for all engines that were ever started.
 */
export class ExitWatch implements AsyncDisposable {
  readonly #readStates: () => Promise<ReadonlyMap<EngineHandle, boolean>>;
  readonly #onExit: (handle: EngineHandle) => void;
  readonly #settled = new Set<EngineHandle>();
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | null = null;
  #look: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: {
    /** Every engine that was started, with whether it still runs. */
    readonly readStates: () => Promise<ReadonlyMap<EngineHandle, boolean>>;
    readonly onExit: (handle: EngineHandle) => void;
    readonly everyMs: number;
  }) {
    this.#readStates = options.readStates;
    this.#onExit = options.onExit;
    this.#everyMs = options.everyMs;
  }

  async begin(): Promise<void> {
    for (const [handle, running] of await this.#readStates()) if (!running) this.#settled.add(handle);
    this.#schedule();
  }

  /** For an exit that was seen directly. */
  report(handle: EngineHandle): void {
    if (this.#closed || this.#settled.has(handle)) return;
    this.#settled.add(handle);
    this.#onExit(handle);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#look;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#look = this.#lookOnce().finally(() => {
        this.#schedule();
      });
    }, this.#everyMs);
    this.#timer.unref();
  }

  async #lookOnce(): Promise<void> {
    try {
      const states = await this.#readStates();
      for (const [handle, running] of states) if (!running) this.report(handle);
      for (const handle of this.#settled) if (!states.has(handle)) this.#settled.delete(handle); // removed: forget it
    } catch {
      // A directory that cannot be read now is read again at the next look; `inspectEngine` tells the caller the error.
    }
  }
}
