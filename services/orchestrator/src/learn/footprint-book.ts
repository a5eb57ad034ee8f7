import type { Footprint, FootprintKey, FootprintStore, Term } from '@berth/core';

/** The learned footprints of this term, read once: only the leader writes them. */
export class FootprintBook {
  readonly #store: FootprintStore;
  readonly #term: Term;
  readonly #byKey = new Map<string, Footprint>();

  private constructor(store: FootprintStore, term: Term) {
    this.#store = store;
    this.#term = term;
  }

  static async open(store: FootprintStore, term: Term): Promise<FootprintBook> {
    const book = new FootprintBook(store, term);
    for (const footprint of await store.list()) book.#byKey.set(keyText(footprint), footprint);
    return book;
  }

  find(key: FootprintKey): Footprint | undefined {
    return this.#byKey.get(keyText(key));
  }

  /** Footprints of one launch on this machine, over all GPU products. */
  ofLaunch(launch: Pick<FootprintKey, 'model' | 'signature' | 'imageId' | 'gpuCount'>): readonly Footprint[] {
    return [...this.#byKey.values()].filter(
      (footprint) =>
        footprint.model === launch.model &&
        footprint.signature === launch.signature &&
        footprint.imageId === launch.imageId &&
        footprint.gpuCount === launch.gpuCount,
    );
  }

  /** Everything learned of a model, whatever it was launched with. */
  ofModel(model: FootprintKey['model']): readonly Footprint[] {
    return [...this.#byKey.values()].filter((footprint) => footprint.model === model);
  }

  /** Stores it in Redis and in the file. Throws as the store does. */
  async put(footprint: Footprint): Promise<void> {
    await this.#store.put(this.#term, footprint);
    this.#byKey.set(keyText(footprint), footprint);
  }
}

/** A record with nothing in it yet. */
export function nothingLearned(key: FootprintKey): Footprint {
  const { model, signature, imageId, gpuProduct, gpuCount } = key;
  return {
    model,
    signature,
    imageId,
    gpuProduct,
    gpuCount,
    vramMiB: null,
    source: 'discovered',
    samples: [],
    loads: [],
    kvCacheBytes: null,
    breakdownMiB: {},
    learnedAtMs: 0,
  };
}

function keyText({ model, signature, imageId, gpuProduct, gpuCount }: FootprintKey): string {
  return JSON.stringify([model, signature, imageId, gpuProduct, gpuCount]);
}
