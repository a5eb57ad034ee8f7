import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Aggregator } from 'prom-client';
import { linesDropped } from '../block-writer.ts';
import type { BucketTally } from './bucket-tally.ts';
import { TallyHistogram } from './tally-histogram.ts';

export type Labels = Readonly<Record<string, string | number>>;

/** Name, meaning and labels of one metric. Names follow Prometheus: base units, and `_total` for what only grows. */
export interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: Labels;
  readonly tally: BucketTally;
}

/** What Prometheus gets of one scrape. */
export interface Scrape {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The metrics of one process, for Prometheus. Values are kept where things happen, as plain numbers, and read here when somebody scrapes, so
 * that counting costs next to nothing. `registry.getMetricsAsJSON()` of several processes can be merged by prom-client's
 * `AggregatorRegistry.aggregate`: each metric says how.
 */
export class MetricSet {
  readonly registry = new Registry();

  constructor() {
    const help = 'Log lines dropped because whoever reads the output of this process had stalled';
    this.counter({ name: 'berth_log_lines_dropped_total', help }, () => [{ labels: {}, value: linesDropped() }]);
  }

  /** Adds prom-client's own metrics of the process: event loop, memory, garbage collection, file descriptors. Once per process. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  counter(definition: MetricDefinition, read: () => Iterable<Sample>): void {
    const counter = new Counter({
      ...this.#settings(definition),
      collect: () => {
        counter.reset();
        for (const { labels, value } of read()) counter.inc(labels, value);
      },
    });
  }

  /** `merge` says what a value means over several processes: the sum of counts, the maximum of ages. A sample that is left out is unknown. */
  gauge(definition: MetricDefinition & { readonly merge: Aggregator }, read: () => Iterable<Sample>): void {
    const gauge = new Gauge({
      ...this.#settings(definition),
      aggregator: definition.merge,
      collect: () => {
        gauge.reset();
        // Without labels prom-client goes back to 0, which is a value.
        if (definition.labels === undefined) gauge.remove({});
        for (const { labels, value } of read()) gauge.set(labels, value);
      },
    });
  }

  histogram(definition: MetricDefinition, read: () => Iterable<HistogramSample>): void {
    this.registry.registerMetric(new TallyHistogram(definition, read));
  }

  /** The text that Prometheus scrapes, and its content type. */
  async scrape(): Promise<Scrape> {
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }

  #settings({ name, help, labels }: MetricDefinition) {
    return { name, help, labelNames: [...(labels ?? [])], registers: [this.registry] };
  }
}
