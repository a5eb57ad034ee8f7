import { describe, expect, test } from 'vitest';
import type { Endpoint } from '../lifecycle/endpoint.ts';
import { gpuUuid, ready, starting, stopping } from '../testing/builders.ts';
import { card, processes, reading } from '../testing/readings.ts';
import { budgetMiB } from './budget.ts';
import { foreignMiB } from './foreign.ts';
import type { GpuProcess } from './gpu-reading.ts';

describe('the budget of a GPU', () => {
  test('is (total − driver-reserved) × fraction − reserve, rounded down', () => {
    expect(budgetMiB(card(0, { totalMiB: 81_559, driverReservedMiB: 559 }), { budgetFraction: 0.9, reserveMiB: 256 })).toBe(72_644);
    expect(budgetMiB(card(0, { totalMiB: 1001, driverReservedMiB: 0 }), { budgetFraction: 0.5, reserveMiB: 0 })).toBe(500);
  });

  test('is unknown where the total is, and never negative', () => {
    expect(budgetMiB(card(0, { totalMiB: null }), { budgetFraction: 1, reserveMiB: 0 })).toBeNull();
    expect(budgetMiB(card(0, { totalMiB: 100 }), { budgetFraction: 1, reserveMiB: 256 })).toBe(0);
  });

  test('takes what the driver reserves from the difference where it does not say', () => {
    const given = card(0, { totalMiB: 1000, driverReservedMiB: null, usedMiB: 100, freeMiB: 860 });
    expect(budgetMiB(given, { budgetFraction: 1, reserveMiB: 0 })).toBe(960);
    expect(budgetMiB({ ...given, freeMiB: null }, { budgetFraction: 1, reserveMiB: 0 })).toBe(1000);
  });
});

const foreign = (
  usedMiB: number | null,
  rows: readonly GpuProcess[] | null,
  endpoints: readonly Endpoint[],
  settledMiB: number | null = null,
) =>
  foreignMiB({
    gpuUuid: gpuUuid(0),
    reading: reading([card(0, { usedMiB })], rows),
    endpoints,
    processIds: new Map(endpoints.map((endpoint) => [endpoint.generation, [11]])),
    settledMiB,
  });

describe('foreign memory', () => {
  const serving = ready('a', { on: { 0: 330 }, measured: [{ gpuUuid: gpuUuid(0), vramMiB: 300 }] });

  test('is what no process of ours holds', () => {
    expect(foreign(450, processes([11, 320], [99, 100]), [serving])).toBe(130);
  });

  test('counts our processes on this GPU only', () => {
    expect(
      foreign(
        450,
        processes([11, 320]).map((row) => ({ ...row, gpuUuid: gpuUuid(1) })),
        [serving],
      ),
    ).toBe(450);
  });

  test('is unknown where used memory is', () => {
    expect(foreign(null, processes([11, 320]), [serving])).toBeNull();
    expect(foreignMiB({ gpuUuid: gpuUuid(7), reading: reading([], []), endpoints: [], processIds: new Map(), settledMiB: 5 })).toBeNull();
  });

  test('is what was not measured where the driver tells no memory per process', () => {
    expect(foreign(450, null, [serving])).toBe(150);
    expect(foreign(450, processes([11, null], [99, 100]), [serving])).toBe(150);
  });

  test.each(['starting', 'stopping'] as const)('is frozen there while an endpoint is %s', (state) => {
    const moving = state === 'starting' ? starting('b', { on: { 0: 50 } }) : stopping('b', { on: { 0: 50 } });
    expect(foreign(900, null, [serving, moving], 42)).toBe(42);
    expect(foreign(900, null, [serving, moving])).toBeNull();
    expect(foreign(900, null, [serving, { ...moving, allocations: [{ gpuUuid: gpuUuid(1), vramMiB: 50 }] }], 42)).toBe(600);
  });

  test('does not grow by the memory of an endpoint whose processes the driver has forgotten already', () => {
    const stopped = stopping('a', { on: { 0: 330 } });
    expect(foreign(450, processes([99, 100]), [stopped], 130)).toBe(130);
    expect(foreign(450, processes([99, 100]), [stopped])).toBe(120);
    expect(foreign(130, processes([99, 100]), [stopped], 130)).toBe(130);
    expect(foreign(450, processes([11, 320], [99, 100]), [stopped], 130)).toBe(130);
    expect(foreign(450, processes([99, 100]), [], 130)).toBe(450);
  });

  test('is never negative', () => {
    expect(foreign(100, processes([11, 320]), [serving])).toBe(0);
  });
});
