import { readFileSync } from 'node:fs';
import { EDGE_METRICS, ORCHESTRATOR_METRICS } from '@berth/telemetry';
import type { MetricDefinition } from '@berth/telemetry';
import { expect, test } from 'vitest';

const ROW = /^\| `(?<name>berth_[a-z_]+)` \| (?<type>counter|gauge|histogram) \|(?<labels>[^|]*)\|/gmu;
const text = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8');

test('docs/metrics.md names exactly the metrics that there are, with their labels', () => {
  const documented = [...text.matchAll(ROW)].map(({ groups }) => {
    const labels = [...(groups?.['labels'] ?? '').matchAll(/`([a-z]+)`/gu)].map(([, label]) => label ?? '');
    return { name: groups?.['name'] ?? '', labels };
  });
  const definitions: readonly MetricDefinition[] = [...Object.values(EDGE_METRICS), ...Object.values(ORCHESTRATOR_METRICS)];
  const defined = definitions.map(({ name, labels = [] }) => ({ name, labels: [...labels] }));
  const both = { name: 'berth_log_lines_dropped_total', labels: [] };
  expect(documented.toSorted(byName)).toEqual([...defined, both].toSorted(byName));
});

test('what docs/metrics.md asks Prometheus for is there', () => {
  const defined: readonly MetricDefinition[] = [...Object.values(EDGE_METRICS), ...Object.values(ORCHESTRATOR_METRICS)];
  const names = new Set(['berth_log_lines_dropped_total', ...defined.map(({ name }) => name)]);
  const asked = [...text.matchAll(/\bberth_[a-z_]+/gu)].map(([name]) => name.replace(/_bucket$/u, ''));
  expect(asked.filter((name) => !names.has(name))).toEqual([]);
});

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name.localeCompare(other.name);
}
