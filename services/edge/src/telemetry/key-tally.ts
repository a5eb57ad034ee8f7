import type { Sample } from '@berth/telemetry';
import { STATUS_CLASSES, statusClassOf } from './model-tally.ts';

/** Requests by the key that they came with. Ids are those of the catalog, so there are as many as it has keys. */
export class KeyTally {
  readonly #byKey = new Map<string, Float64Array>();

  add(keyId: string, status: number | null): void {
    let counts = this.#byKey.get(keyId);
    if (counts === undefined) this.#byKey.set(keyId, (counts = new Float64Array(STATUS_CLASSES.length)));
    const at = statusClassOf(status);
    counts[at] = (counts[at] ?? 0) + 1;
  }

  *samples(): Iterable<Sample> {
    for (const [key, counts] of this.#byKey) {
      for (const [at, status] of STATUS_CLASSES.entries()) {
        const value = counts[at] ?? 0;
        if (value > 0) yield { labels: { key, status }, value };
      }
    }
  }
}
