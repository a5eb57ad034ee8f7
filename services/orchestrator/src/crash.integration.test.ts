import { expect, test } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import type { CrashPoint } from './testing/crash-point.ts';
import { startHost, type HostUnderTest } from './testing/host-under-test.ts';
import { shareRedis } from './testing/shared-redis.ts';

const redis = shareRedis();
const MODELS = {
  one: { engineIs: { weightsMiB: 4_000 } },
  two: { engineIs: { weightsMiB: 5_000 } },
};
/** Hosts that run at the same time. */
const AT_ONCE = 6;

/** Every point of a scenario: before and after each change that an undisturbed run makes. */
async function atEveryPoint(scenario: (host: HostUnderTest) => Promise<void>): Promise<readonly string[]> {
  const actions = await run(scenario, null);
  const points = actions.flatMap((_, index): CrashPoint[] => [
    { at: index + 1, when: 'before' },
    { at: index + 1, when: 'after' },
  ]);
  for (let first = 0; first < points.length; first += AT_ONCE) {
    await Promise.all(points.slice(first, first + AT_ONCE).map((point) => run(scenario, point)));
  }
  return actions;
}

async function run(scenario: (host: HostUnderTest) => Promise<void>, crash: CrashPoint | null): Promise<readonly string[]> {
  await using host = await startHost({ redisUrl: redis.url, models: MODELS, ...(crash === null ? {} : { crash }) });
  try {
    await scenario(host);
    // How many phases of a load are seen differs between runs, and with it the number of changes.
    const [first] = host.crashes;
    expect(first?.dead).toBe(crash !== null && crash.at <= (first?.actions.length ?? 0));
  } catch (cause) {
    const actions = host.crashes[0]?.actions.join(' ');
    throw new Error(`killed ${crash?.when ?? 'never'} at ${crash?.at ?? '-'} of: ${actions}; now ${(await host.summary()).join(', ')}`, {
      cause,
    });
  }
  return host.crashes[0]?.actions ?? [];
}

/** Nothing is left of what was under way: no claim, no wish, no waiter, no engine that nobody knows. */
async function isSettled(host: HostUnderTest, ready: readonly string[]): Promise<boolean> {
  const state = await host.state();
  const serving = state.endpoints.filter((endpoint) => endpoint.state === 'ready').map((endpoint) => String(endpoint.model));
  return (
    serving.length === state.endpoints.length &&
    serving.toSorted().join() === ready.join() &&
    host.runningEngines().toSorted().join() === ready.join() &&
    host.engines.host.engines.size === ready.length &&
    state.claims.length === 0 &&
    state.edges.every((edge) => edge.waiters.length === 0)
  );
}

test('an orchestrator killed at any point of a start is followed by one that finishes it, with one engine and no second load', async () => {
  const actions = await atEveryPoint(async (host) => {
    await host.request('one');
    await eventually('everything to be settled', () => isSettled(host, ['one']));
    expect(host.engines.starts.map(({ model }) => model)).toEqual(['one']);
    expect((await host.footprints()).map(({ vramMiB }) => vramMiB)).toEqual([4_000 + 1_024 + 256]);
  });
  for (const action of ['createEngine', 'startEngine', 'put']) expect(actions).toContain(action);
}, 300_000);

test('an orchestrator killed at any point of an eviction is followed by one that finishes it', async () => {
  const actions = await atEveryPoint(async (host) => {
    await host.request('one');
    await host.request('two');
    await eventually('everything to be settled', () => isSettled(host, ['two']));
    expect((await host.endpointOf('two'))?.allocations.map(({ vramMiB }) => vramMiB)).toEqual([5_000 + 1_024 + 256]);
  });
  for (const action of ['stopDrained', 'stopEngine', 'removeEngine']) expect(actions).toContain(action);
}, 300_000);
