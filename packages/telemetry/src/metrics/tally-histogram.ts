import { Histogram } from 'prom-client';
import type { HistogramSample, Labels, MetricDefinition } from './metric-set.ts';

type HistogramValues = Awaited<ReturnType<Histogram['get']>>;
type HistogramValue = HistogramValues['values'][number];

/** A histogram of prom-client's whose buckets were filled elsewhere. */
export class TallyHistogram extends Histogram {
  readonly #read: () => Iterable<HistogramSample>;

  /** Never observes: tells name, help and type in prom-client's own words. */
  readonly #described: Histogram;

  constructor({ name, help, labels }: MetricDefinition, read: () => Iterable<HistogramSample>) {
    const settings = { name, help, labelNames: [...(labels ?? [])], registers: [] };
    super(settings);
    this.#described = new Histogram(settings);
    this.#read = read;
  }

  override async get(): Promise<HistogramValues> {
    const described = await this.#described.get();
    return { ...described, values: Array.from(this.#read()).flatMap((sample) => valuesOf(described.name, sample)) };
  }

  /** What prom-client 15 asks for in place of `get` when it writes text. */
  getForPromString(): Promise<HistogramValues> {
    return this.get();
  }
}

function valuesOf(name: string, { labels, tally }: HistogramSample): readonly HistogramValue[] {
  let below = 0;
  const buckets = tally.bounds.map((le, at) => {
    below += tally.counts[at] ?? 0;
    return value(`${name}_bucket`, { ...labels, le }, below);
  });
  return [
    ...buckets,
    value(`${name}_bucket`, { ...labels, le: '+Inf' }, tally.count),
    value(`${name}_sum`, labels, tally.sum),
    value(`${name}_count`, labels, tally.count),
  ];
}

function value(metricName: string, labels: Labels, number: number): HistogramValue {
  return { metricName, labels, value: number };
}
