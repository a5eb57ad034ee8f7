import { asId, OperationalError, type EngineHandle, type EngineStatus } from '@berth/core';
import { createLogger } from '@berth/telemetry';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { createInMemoryHost, createInMemoryRuntime } from '../../../../test/support/in-memory-runtime.ts';
import { starting } from '../testing/builders.ts';
import { catalogOf, onlyModel } from '../testing/catalog.ts';
import { LoadWatches, type LoadObservation } from './load-watch.ts';

const HANDLE = asId<EngineHandle>('engine');
const model = onlyModel(catalogOf({ models: { one: { source: 'a/b' } } }));
const READY_LOG = "(APIServer pid=1) INFO 09-22 01:20:36 [entry.py:136] Supported tasks: ['generate']";

/** A watched load, and what it looks like from outside; every field may change. */
function watchLoad({
  phase = 'created',
  ...given
}: { healthy?: boolean; probeFails?: boolean; log?: readonly string[]; phase?: string } = {}) {
  const engine = {
    status: {
      state: 'running',
      exitCode: null,
      startedAtMs: 1,
      urls: { name: 'http://engine', address: null, loopback: null },
    } as EngineStatus | null,
    healthy: false,
    probeFails: false,
    log: [READY_LOG] as readonly string[],
    away: 0,
    probes: [] as string[],
    ...given,
  };
  const plain = createInMemoryRuntime({ host: createInMemoryHost(), installationId: asId('installation'), hostId: 'local' });
  const watches = new LoadWatches({
    runtime: {
      ...plain,
      async inspectEngine() {
        if (engine.away-- > 0) throw new OperationalError({ code: 'DOCKER_UNAVAILABLE', message: 'away', retryable: true });
        return engine.status;
      },
      readLog: async () => engine.log,
    },
    engines: {
      isHealthy: async () => engine.healthy,
      readMaxModelLen: async () => 4_096,
      readLoad: async () => null,
      async sendProbe(_url, probe) {
        engine.probes.push(probe.path);
        if (engine.probeFails) throw new OperationalError({ code: 'ENGINE_UNRESPONSIVE', message: 'answered 500', retryable: true });
      },
    },
    reach: 'name',
    log: createLogger({ service: 'test', level: 'silent' }),
    now: Date.now,
    onChange: () => undefined,
  });
  const endpoint = starting('one', { deadlineAtMs: Date.now() + 60_000, startedAtMs: Date.now(), phase });
  const observe = (): LoadObservation => watches.observe(endpoint, HANDLE, model);
  const becomes = (kind: LoadObservation['kind']) => eventually(`the load to be ${kind}`, () => observe().kind === kind && observe());
  return { engine, endpoint, observe, becomes, watches, [Symbol.dispose]: () => watches[Symbol.dispose]() };
}

describe('a load', () => {
  it('is proved by one real request once the engine is healthy', async () => {
    using load = watchLoad();
    expect(load.observe()).toMatchObject({ kind: 'loading' });
    expect(load.engine.probes).toEqual([]);
    load.engine.healthy = true;
    expect(await load.becomes('proved')).toMatchObject({ maxModelLen: 4_096, urls: { name: 'http://engine' } });
    expect(load.engine.probes).toEqual(['/v1/completions']);
  });

  it('tells of an exit with the code and the log', async () => {
    using load = watchLoad({ log: ['RuntimeError: no'] });
    load.observe();
    load.engine.status = { state: 'exited', exitCode: 1, startedAtMs: 1, urls: { name: null, address: null, loopback: null } };
    expect(await load.becomes('exited')).toEqual({ kind: 'exited', exitCode: 1, log: ['RuntimeError: no'] });
  });

  it('is unproved when the request fails and the engine lives on', async () => {
    using load = watchLoad({ healthy: true, probeFails: true });
    expect(await load.becomes('unproved')).toMatchObject({ failure: { code: 'ENGINE_UNRESPONSIVE' } });
  });

  it('goes on when the runtime was away for a moment', async () => {
    using load = watchLoad({ healthy: true });
    load.engine.away = 1;
    await load.becomes('proved');
  });

  it('learns how long each phase took, the proof among them', async () => {
    using load = watchLoad({ log: [] });
    load.observe();
    load.engine.log = ['(EngineCore pid=2) INFO 09-22 01:20:40 [gpu_model_runner.py:4702] Starting to load model a/b...'];
    await eventually('the phase', () => load.watches.phaseOf(load.endpoint.generation)?.phase === 'weights');
    expect(load.watches.phaseOf(load.endpoint.generation)?.sinceMs).not.toBeNull();
    load.engine.healthy = true;
    const proved = await load.becomes('proved');
    expect(proved.kind === 'proved' && Object.keys(proved.phases)).toEqual(['created', 'weights', 'probing']);
  });

  it('learns no times when it finds the load under way', async () => {
    using load = watchLoad({ log: [], phase: 'weights' });
    expect(load.observe()).toMatchObject({ phase: 'weights', sinceMs: null });
    load.engine.healthy = true;
    expect(await load.becomes('proved')).toMatchObject({ phases: {} });
  });

  it('knows no phase that nobody watches', () => {
    using load = watchLoad();
    expect(load.watches.phaseOf(starting('two').generation)).toBeNull();
  });
});
