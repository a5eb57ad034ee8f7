/** A histogram that costs nanoseconds to add to. `bounds` rise; what exceeds the last one counts in the sum and the count alone. */
export class BucketTally {
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    this.sum += value;
    this.count += 1;
    for (let at = 0; at < bounds.length; at += 1) {
      if (value > (bounds[at] ?? 0)) continue;
      counts[at] = (counts[at] ?? 0) + 1;
      return;
    }
  }
}
