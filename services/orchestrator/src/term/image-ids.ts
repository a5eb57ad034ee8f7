import type { EngineRuntime } from '@berth/core';
import type { ModelSettings } from '@berth/config';

/** How long a resolved id is taken for granted; an image that was pulled anew under its tag is seen after that. */
const KEPT_MS = 10_000;

/** Image ids of the catalog's models, as the runtime resolves them. Every step asks for all of them. */
export class ImageIds {
  readonly #known = new Map<string, { readonly id: string; readonly atMs: number }>();
  readonly #runtime: EngineRuntime;
  readonly #now: () => number;

  constructor(runtime: EngineRuntime, now: () => number) {
    this.#runtime = runtime;
    this.#now = now;
  }

  /** The next question is asked of the runtime. */
  forget(model: ModelSettings): void {
    this.#known.delete(keyOf(model));
  }

  /** `null` when the image is not on this machine. Throws as the runtime does. */
  async resolve(model: ModelSettings): Promise<string | null> {
    const key = keyOf(model);
    const known = this.#known.get(key);
    if (known !== undefined && this.#now() - known.atMs <= KEPT_MS) return known.id;
    const id = await this.#runtime.resolveImageId(model.image ?? '', model.command);
    if (id === null) this.#known.delete(key);
    else this.#known.set(key, { id, atMs: this.#now() });
    return id;
  }
}

function keyOf({ image, command }: ModelSettings): string {
  return JSON.stringify([image, command]);
}
