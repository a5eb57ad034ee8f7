import { EDGE_METRICS, ORCHESTRATOR_METRICS } from '@berth/telemetry';
import { expect, test } from 'vitest';
import { startBerth } from '../support/berth.ts';
import { eventually } from '../support/eventually.ts';
import { parseMetrics } from '../support/parse-metrics.ts';
import type { Scrape } from '../support/parse-metrics.ts';

/** Reads `/metrics` as Prometheus does. */
async function scrape(url: string): Promise<Scrape> {
  const answer = await fetch(`${url}/metrics`);
  expect(answer.status).toBe(200);
  return parseMetrics(await answer.text());
}

const names = (metrics: Readonly<Record<string, { readonly name: string }>>) => Object.values(metrics).map(({ name }) => name);

test('both services, started with plain node, tell Prometheus what a cold start and the requests after it did', async () => {
  await using berth = await startBerth({ models: { small: { simulated: { weightsMiB: 2_000 } } } });
  const orchestratorUrl = `http://127.0.0.1:${berth.orchestrator().env['BERTH_ORCHESTRATOR_PORT']}`;
  const edgeUrl = berth.urls[0] ?? '';
  const messages = [{ role: 'user' as const, content: 'hello' }];
  await berth.chat('small');
  const stream = await berth
    .client()
    .chat.completions.create({ model: 'small', messages, max_tokens: 5, stream: true, stream_options: { include_usage: true } });
  let told = 0;
  for await (const { usage } of stream) told += usage?.completion_tokens ?? 0;

  const { requests, tokens, coldStarts, coldWait, brokenStreams, firstByte, leases, syncAge } = EDGE_METRICS;
  const small = { model: 'small' };
  await eventually('both requests to be counted', async () => (await scrape(edgeUrl)).value(requests.name) === 2);
  const edge = await scrape(edgeUrl);
  expect(names(EDGE_METRICS).filter((name) => !edge.types.has(name))).toEqual([]);
  expect(edge.value(requests.name, { ...small, path: 'cold', outcome: 'answered', status: '2xx' })).toBe(1);
  expect(edge.value(requests.name, { ...small, path: 'hot', outcome: 'answered', status: '2xx' })).toBe(1);
  expect(told).toBe(5);
  expect(edge.value(tokens.name, { ...small, kind: 'completion' })).toBe(4 + 5);
  expect(edge.value(coldStarts.name, small)).toBe(1);
  expect(edge.value(`${coldWait.name}_sum`, { ...small, phase: 'place' })).toBeGreaterThan(0);
  for (const path of ['hot', 'cold']) expect(edge.value(`${firstByte.name}_count`, { ...small, path })).toBe(1);
  expect(edge.value(leases.name, { state: 'open' })).toBe(1);
  expect(edge.value(syncAge.name)).toBeLessThan(60);
  expect(edge.value(brokenStreams.name)).toBe(0);

  const orchestrator = await scrape(orchestratorUrl);
  expect(names(ORCHESTRATOR_METRICS).filter((name) => !orchestrator.types.has(name))).toEqual([]);
  expect(orchestrator.value(ORCHESTRATOR_METRICS.leading.name)).toBe(1);
  expect(orchestrator.value(ORCHESTRATOR_METRICS.coldStarts.name, { ...small, outcome: 'ready' })).toBe(1);
  // How many of the phases before it are seen depends on how fast the load passes them.
  expect(orchestrator.value(ORCHESTRATOR_METRICS.coldStartPhases.name, { ...small, phase: 'probing' })).toBeGreaterThan(0);
  const ledger = (kind: string) => orchestrator.value(ORCHESTRATOR_METRICS.gpuMemory.name, { kind }) ?? 0;
  expect(ledger('total')).toBe(24_576 * 1024 * 1024);
  for (const { value } of [edge, orchestrator]) expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);

  const lines = await eventually('the lines of both requests', async () => {
    const served = (await berth.edges[0]?.readLog())?.filter((line) => line['msg'] === 'request served') ?? [];
    return served.length === 2 && served;
  });
  expect(lines.map(({ cold, completionTokens }) => [cold, completionTokens])).toEqual([
    [true, 4],
    [false, 5],
  ]);
});

test('an orchestrator that stands by says so', async () => {
  await using berth = await startBerth({ models: { small: {} } });
  const standby = await berth.startOrchestrator();
  const seen = await scrape(`http://127.0.0.1:${standby.env['BERTH_ORCHESTRATOR_PORT']}`);
  expect(seen.value(ORCHESTRATOR_METRICS.leading.name)).toBe(0);
  expect(seen.value(ORCHESTRATOR_METRICS.epoch.name)).toBeNull();
});
