import type { HostReading, RegistryState } from '@berth/core';
import { expect, test } from 'vitest';
import type { GpuMonitor } from '../tasks/gpu-monitor.ts';
import { withFreshState, type Observed } from './observe.ts';

const reading = (atMs: number): HostReading => ({ atMs, gpus: [], processes: [] });
const state: RegistryState = { nowMs: 100, endpoints: [], lastUsedAtMs: new Map(), edges: [], claims: [], wishes: [], quarantines: [] };
const observed = (at: HostReading | null): Observed => ({ state, demand: new Map(), reading: at, processIds: new Map() });

function contextWith(latest: HostReading): Parameters<typeof withFreshState>[0] {
  const gpus: Pick<GpuMonitor, 'latest'> = { latest };
  return { registry: { read: async () => state } as Parameters<typeof withFreshState>[0]['registry'], gpus: gpus as GpuMonitor };
}

test('a registry that is read anew goes with the latest reading: an older one still shows what is gone since', async () => {
  const fresh = await withFreshState(contextWith(reading(90)), observed(reading(10)));
  expect(fresh.reading?.atMs).toBe(90);
});

test('where this step had no reading, none is made up', async () => {
  expect((await withFreshState(contextWith(reading(90)), observed(null))).reading).toBeNull();
});
