import type { EngineHandle } from '@berth/core';

/** Engines that the runtime reported as exited and that no step has looked at yet. */
export class ExitNotices {
  readonly #handles = new Set<EngineHandle>();

  add(handle: EngineHandle): void {
    this.#handles.add(handle);
  }

  has(handle: EngineHandle): boolean {
    return this.#handles.has(handle);
  }

  clear(handle: EngineHandle): void {
    this.#handles.delete(handle);
  }

  handles(): readonly EngineHandle[] {
    return [...this.#handles];
  }

  get size(): number {
    return this.#handles.size;
  }
}
