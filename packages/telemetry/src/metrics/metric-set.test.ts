import { AggregatorRegistry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parseMetrics } from '../../../../test/support/parse-metrics.ts';
import { BucketTally } from './bucket-tally.ts';
import { LabelCounts } from './label-counts.ts';
import { MetricSet } from './metric-set.ts';

async function scraped(set: MetricSet) {
  return parseMetrics((await set.scrape()).text);
}

describe('a metric set', () => {
  it('reads counters when it is scraped, as they are then', async () => {
    const set = new MetricSet();
    const counts = new LabelCounts();
    set.counter({ name: 'things_total', help: 'Things', labels: ['kind'] }, () => counts.samples());
    counts.add({ kind: 'a' });
    counts.add({ kind: 'b' }, 5);
    counts.add({ kind: 'a' });
    expect((await scraped(set)).value('things_total', { kind: 'a' })).toBe(2);
    counts.add({ kind: 'a' });
    const scrape = await scraped(set);
    expect([scrape.value('things_total', { kind: 'a' }), scrape.value('things_total', { kind: 'b' })]).toEqual([3, 5]);
  });

  it('leaves out a gauge that is unknown, with labels or without', async () => {
    const set = new MetricSet();
    let known = true;
    set.gauge({ name: 'age_seconds', help: 'Age', merge: 'max' }, () => (known ? [{ labels: {}, value: 0 }] : []));
    set.gauge({ name: 'sizes', help: 'Sizes', labels: ['of'], merge: 'sum' }, () => (known ? [{ labels: { of: 'x' }, value: 4 }] : []));
    let scrape = await scraped(set);
    expect([scrape.value('age_seconds'), scrape.value('sizes')]).toEqual([0, 4]);
    known = false;
    scrape = await scraped(set);
    expect([scrape.value('age_seconds'), scrape.value('sizes')]).toEqual([null, null]);
  });

  it('tells a histogram as Prometheus expects it', async () => {
    const set = new MetricSet();
    const tally = new BucketTally([1, 10]);
    for (const seconds of [0, 1, 1.5, 10, 11]) tally.observe(seconds);
    set.histogram({ name: 'wait_seconds', help: 'Wait', labels: ['model'] }, () => [{ labels: { model: 'a' }, tally }]);
    const { types, value } = await scraped(set);
    expect(types.get('wait_seconds')).toBe('histogram');
    expect(['1', '10', '+Inf'].map((le) => value('wait_seconds_bucket', { model: 'a', le }))).toEqual([2, 4, 5]);
    expect([value('wait_seconds_sum'), value('wait_seconds_count')]).toEqual([23.5, 5]);
  });

  it('escapes what stands in a label', async () => {
    const set = new MetricSet();
    const model = 'a"b\\c\nd';
    set.gauge({ name: 'sizes', help: 'Sizes', labels: ['model'], merge: 'sum' }, () => [{ labels: { model }, value: 1 }]);
    expect((await scraped(set)).value('sizes', { model })).toBe(1);
  });

  it('of several processes is merged: counts and histograms are added, each gauge in its own way', async () => {
    const parts = [1, 2].map((size) => {
      const set = new MetricSet();
      const tally = new BucketTally([1]);
      tally.observe(size);
      set.counter({ name: 'things_total', help: 'Things', labels: ['kind'] }, () => [{ labels: { kind: 'a' }, value: size }]);
      set.gauge({ name: 'age_seconds', help: 'Age', merge: 'max' }, () => [{ labels: {}, value: size }]);
      set.gauge({ name: 'in_flight', help: 'In flight', merge: 'sum' }, () => [{ labels: {}, value: size }]);
      set.histogram({ name: 'wait_seconds', help: 'Wait' }, () => [{ labels: {}, tally }]);
      set.addProcess();
      return set.registry.getMetricsAsJSON();
    });
    // As between two processes: what is sent is JSON.
    const sent = JSON.parse(JSON.stringify(await Promise.all(parts))) as object[];
    const { value } = parseMetrics(await AggregatorRegistry.aggregate(sent).metrics());
    expect([value('things_total'), value('age_seconds'), value('in_flight')]).toEqual([3, 2, 3]);
    expect([value('wait_seconds_bucket', { le: '1' }), value('wait_seconds_count'), value('wait_seconds_sum')]).toEqual([1, 2, 3]);
  });

  it('tells of the process when it is asked to', async () => {
    const set = new MetricSet();
    set.addProcess();
    const { value } = await scraped(set);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(value('nodejs_eventloop_lag_seconds')).not.toBeNull();
    expect(value('berth_log_lines_dropped_total')).toBe(0);
  });
});
