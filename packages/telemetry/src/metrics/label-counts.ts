import type { Labels, Sample } from './metric-set.ts';

/** Sums by labels, for what happens a few times a second at most. */
export class LabelCounts {
  readonly #samples = new Map<string, { readonly labels: Labels; value: number }>();

  add(labels: Labels, value = 1): void {
    const key = JSON.stringify(labels);
    const known = this.#samples.get(key);
    if (known === undefined) this.#samples.set(key, { labels, value });
    else known.value += value;
  }

  samples(): Iterable<Sample> {
    return this.#samples.values();
  }
}
