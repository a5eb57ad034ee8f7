import { expect, it } from 'vitest';
import { runScenario } from '../soak/lease-faults/run-scenario.ts';

it('breaks no request while edges, orchestrators and Redis are stalled, killed, restarted and emptied', { timeout: 120_000 }, async () => {
  const result = await runScenario({
    name: 'everything',
    faults: [
      'edge stalled',
      'redis hung',
      'orchestrator killed',
      'edge killed',
      'redis emptied',
      'orchestrator stalled',
      'redis restarted',
    ],
    durationMs: 20_000,
    pauseMs: 600,
    degradedMs: 0,
    leaseTtlMs: 3000,
  });
  expect(result).toMatchObject({ cut: [], notes: [], broken: 0, crashes: [] });
  expect(Object.keys(result.injected)).toHaveLength(7);
  expect(result.stops).toBeGreaterThan(0);
  expect(result.ok).toBeGreaterThan(100);
});

it('counts the requests that are broken when a drain asks nobody', { timeout: 120_000 }, async () => {
  const calm = { name: 'careless', faults: [], durationMs: 0, pauseMs: 0, degradedMs: 0, leaseTtlMs: 3000 };
  const result = await runScenario({ ...calm, careless: true });
  expect(result.cut.length).toBeGreaterThan(0);
});
