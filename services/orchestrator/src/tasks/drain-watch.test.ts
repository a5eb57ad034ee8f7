import { asId, OperationalError, type EdgeReplicaView, type EngineLoad, type RegistryState } from '@berth/core';
import { createLogger } from '@berth/telemetry';
import { describe, expect, it } from 'vitest';
import { draining } from '../testing/builders.ts';
import { DrainWatches } from './drain-watch.ts';

const settings = {
  engineIdle: { samples: 3, everyMs: 1, unreadableMs: 20 },
  leases: { ttlMs: 20, renewMs: 5, quietMs: 1 },
};

/** Proves one drain over; `loads` and `holders` are what the next looks see, the last of each for ever. */
async function prove(options: {
  readonly loads: readonly (EngineLoad | null)[];
  readonly holders?: readonly ('held' | 'free' | 'away')[];
  readonly hasCounter?: boolean;
}) {
  const { loads, holders = ['free'], hasCounter = true } = options;
  const endpoint = draining('one', { hasCounter });
  const looks = { registry: 0, engine: 0 };
  const done = Promise.withResolvers<void>();
  using watches = new DrainWatches({
    registry: {
      async read(): Promise<RegistryState> {
        const holder = next(holders, looks.registry++);
        if (holder === 'away') throw new OperationalError({ code: 'REDIS_UNAVAILABLE', message: 'away', retryable: true });
        const leases = holder === 'held' ? [{ generation: endpoint.generation, inFlight: 0 }] : [];
        const edges: EdgeReplicaView[] = [{ id: asId('edge'), leases, waiters: [], expiresInMs: 1_000 }];
        return { nowMs: 0, endpoints: [], lastUsedAtMs: new Map(), edges, claims: [], wishes: [], quarantines: [] };
      },
    },
    engines: {
      isHealthy: async () => true,
      readMaxModelLen: async () => null,
      sendProbe: async () => undefined,
      readLoad: async () => next(loads, looks.engine++),
    },
    reach: 'name',
    settings,
    now: () => performance.now(),
    log: createLogger({ service: 'test', level: 'silent' }),
    onDrained: () => done.resolve(),
  });
  const before = watches.isDrained(endpoint);
  await done.promise;
  const seen = { ...looks };
  return { before, after: watches.isDrained(endpoint), looks: seen, anotherDrain: watches.isDrained({ ...endpoint, drainingSinceMs: 1 }) };
}

const idle = { running: 0, waiting: 0 };
const busy = { running: 1, waiting: 0 };

describe('a drain is over', () => {
  it('when the engine is idle so many times in a row', async () => {
    const { before, after, looks } = await prove({ loads: [busy, idle, idle, busy, idle] });
    expect({ before, after, engine: looks.engine }).toEqual({ before: false, after: true, engine: 7 });
  });

  it('not while an edge holds a lease, nor while that is unknown', async () => {
    const { looks } = await prove({ loads: [idle], holders: ['held', 'away', 'held', 'free'] });
    expect(looks).toEqual({ registry: 6, engine: 3 });
  });

  it('when the counter could not be read for long', async () => {
    const { looks } = await prove({ loads: [null] });
    expect(looks.engine).toBeGreaterThan(1);
  });

  it('without a counter after the longest lease without a holder', async () => {
    const { looks } = await prove({ loads: [busy], hasCounter: false });
    expect(looks.engine).toBe(0);
  });

  it('for that drain alone: a later one is proved anew', async () => {
    expect((await prove({ loads: [idle] })).anotherDrain).toBe(false);
  });
});

function next<Item>(items: readonly Item[], at: number): Item {
  return items[Math.min(at, items.length - 1)] as Item;
}
