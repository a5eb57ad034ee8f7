import { ORCHESTRATOR_METRICS } from '@berth/telemetry';
import { expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { startHost } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const small = { weightsMiB: 1_000 };
const half = { weightsMiB: 3_500 };
const MIB = 1024 * 1024;
const { coldStarts, coldStartDuration, coldStartPhases, stops, drainsCalledOff, endpoints, plans, placements, steps, gpuMemory } =
  ORCHESTRATOR_METRICS;

test('a cold start counts once, with its duration, its phases and its placement', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: { ...small, loadMs: 300 } } } });
  await host.request('one');
  await eventually('the placement to end', async () => (await host.metrics()).value(placements.name) === 1);
  const { value, samples } = await host.metrics();
  expect(value(coldStarts.name, { model: 'one', outcome: 'ready', code: 'none' })).toBe(1);
  expect(value(coldStarts.name)).toBe(1);
  expect(value(`${coldStartDuration.name}_count`, { model: 'one' })).toBe(1);
  expect(value(placements.name, { model: 'one', outcome: 'ready' })).toBe(1);
  const phases = samples.filter(({ name }) => name === coldStartPhases.name);
  expect(phases.map(({ labels }) => labels['phase'])).toContain('probing');
  const loadSeconds = phases.reduce((sum, sample) => sum + sample.value, 0);
  expect(loadSeconds).toBeGreaterThan(0.25);
  expect(loadSeconds).toBeLessThanOrEqual(value(`${coldStartDuration.name}_sum`) ?? 0);
  for (const kind of ['apply', 'serving']) expect(value(plans.name, { kind })).toBeGreaterThanOrEqual(1);
  for (const job of ['place', 'tend']) expect(value(`${steps.name}_count`, { job })).toBeGreaterThanOrEqual(1);
});

test('a start that fails counts by the code of its cause', async () => {
  const engineIs = { failWith: () => ['RuntimeError: no such architecture'] };
  await using host = await startHost({ redisUrl: redis.url, models: { broken: { engineIs } } });
  await host.refusal('broken');
  await eventually('the placement to end', async () => (await host.metrics()).value(placements.name) === 1);
  const { value } = await host.metrics();
  const code = 'ENGINE_START_FAILED';
  expect(value(coldStarts.name, { model: 'broken', outcome: 'failed', code })).toBe(1);
  expect(value(placements.name, { model: 'broken', outcome: 'failed', code })).toBe(1);
  expect(value(stops.name, { model: 'broken', reason: 'loadFailed' })).toBe(1);
  expect(value(`${coldStartDuration.name}_count`)).toBeNull();
});

test('a start that nobody wants any more counts as cancelled', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: { ...small, loadMs: 60_000 } } } });
  const asking = host.request('one', { withinMs: 3_000 }).catch(() => undefined);
  await eventually('the start', async () => (await host.endpointOf('one'))?.state === 'starting');
  await host.reader.putStopRequest({ id: 'stop', target: { kind: 'all' }, force: true, deadlineMs: null });
  await eventually('its end', async () => ((await host.metrics()).value(coldStarts.name, { outcome: 'cancelled' }) ?? 0) >= 1);
  await asking;
});

test('an eviction, an idle stop and a crash count by their reasons', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    models: { first: { engineIs: half }, second: { engineIs: half }, third: { idleTimeout: '1s', engineIs: half } },
  });
  await host.request('first');
  await host.request('second');
  await eventually(
    'the first to be evicted',
    async () => (await host.metrics()).value(stops.name, { model: 'first', reason: 'evicted' }) === 1,
  );
  const endpoint = await host.endpointOf('second');
  host.engines.host.engines.get(endpoint?.handle ?? '')?.terminate();
  await eventually('the crash', async () => (await host.metrics()).value(stops.name, { model: 'second', reason: 'exited' }) === 1);
  await host.request('third');
  await eventually('the idle stop', async () => (await host.metrics()).value(stops.name, { model: 'third', reason: 'idle' }) === 1);
  expect((await host.metrics()).value(stops.name)).toBe(3);
});

test('a drain that is called off counts', async () => {
  await using host = await startHost({
    redisUrl: redis.url,
    models: { busy: { engineIs: half }, other: { engineIs: half } },
    settings: { drain: { timeout: '300ms' } },
  });
  await host.request('busy');
  const [lease] = [host.session.begin((await host.endpointOf('busy'))?.model ?? expect.fail('it serves'))];
  const asking = host.request('other', { withinMs: 5_000 }).catch(() => undefined);
  await eventually(
    'the drain to be called off',
    async () => ((await host.metrics()).value(drainsCalledOff.name, { model: 'busy' }) ?? 0) >= 1,
  );
  lease?.end();
  await asking;
});

test('the ledger of each GPU is told in bytes, and endpoints by state', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
  await host.request('one');
  const charged = (await host.endpointOf('one'))?.allocations[0]?.vramMiB ?? 0;
  await eventually('the ledger', async () => (await host.metrics()).value(gpuMemory.name, { kind: 'endpoints' }) === charged * MIB);
  const { value } = await host.metrics();
  const gpu = { gpu: 'GPU-0', index: '0' };
  expect(value(gpuMemory.name, { ...gpu, kind: 'total' })).toBe(10_000 * MIB);
  expect(value(gpuMemory.name, { ...gpu, kind: 'reserved' })).toBe(0);
  expect(value(endpoints.name, { model: 'one', state: 'ready' })).toBe(1);
  expect(value(ORCHESTRATOR_METRICS.readingAge.name)).toBeLessThan(60);
});

test('runs of nvidia-smi that fail are counted', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { gpus: 0, engineIs: small } } });
  await host.request('one');
  expect((await host.metrics()).value(ORCHESTRATOR_METRICS.readingFailures.name)).toBe(0);
  await host.endProcess();
  host.engines.readsFail = true;
  host.lead();
  await eventually('a failure', async () => ((await host.metrics()).value(ORCHESTRATOR_METRICS.readingFailures.name) ?? 0) >= 1);
  expect((await host.metrics()).value(ORCHESTRATOR_METRICS.readingAge.name)).toBeNull();
});

test('who leads says so with its epoch; who does not knows nothing of the host', async () => {
  await using host = await startHost({ redisUrl: redis.url, models: { one: { engineIs: small } } });
  await eventually('the ledger', async () => (await host.metrics()).value(gpuMemory.name, { kind: 'total' }) !== null);
  let seen = await host.metrics();
  expect(seen.value(ORCHESTRATOR_METRICS.leading.name)).toBe(1);
  expect(seen.value(ORCHESTRATOR_METRICS.epoch.name)).toBeGreaterThan(0);
  await host.endProcess();
  seen = await host.metrics();
  expect(seen.value(ORCHESTRATOR_METRICS.leading.name)).toBe(0);
  expect([seen.value(ORCHESTRATOR_METRICS.epoch.name), seen.value(gpuMemory.name), seen.value(endpoints.name)]).toEqual([null, null, null]);
});
