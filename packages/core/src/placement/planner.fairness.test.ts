import { describe, expect, test } from 'vitest';
import { SimulatedHost } from '../testing/simulated-host.ts';

describe('with small models asked for all the time', { timeout: 60_000 }, () => {
  const small = ['s0', 's1', 's2', 's3', 's4'].map((name) => ({ name, vramMiB: 30, gpuCount: 1, loadMs: 10_000, pinned: false }));
  const big = { name: 'big', vramMiB: 90, gpuCount: 1, loadMs: 60_000, pinned: false };

  test('a big model is served', () => {
    const simulated = new SimulatedHost([...small, big], [100]);
    let rounds = 0;
    for (; rounds < 1000 && !simulated.served.some((served) => served === 'big'); rounds += 1) {
      for (const { name } of small) {
        simulated.arrive(name);
        simulated.setInFlight(name, rounds % 2);
      }
      if (rounds === 100) simulated.arrive('big');
      for (const open of simulated.openModels()) simulated.step(open);
      simulated.advance(2000);
    }
    // 100 rounds go by before it is asked for; then at most the drain of all that run, one start that is under way, and its own load.
    expect(rounds).toBeLessThan(200);
  });

  test('two models that each need the memory of the other are both served', () => {
    const pair = ['a', 'b'].map((name) => ({ ...big, name }));
    const simulated = new SimulatedHost(pair, [100]);
    for (let rounds = 0; rounds < 300; rounds += 1) {
      for (const { name } of pair) if (!simulated.isReady(name)) simulated.arrive(name);
      for (const open of simulated.openModels().toReversed()) simulated.step(open);
      simulated.advance(2000);
    }
    expect(simulated.served.filter((name) => name === 'a').length).toBeGreaterThanOrEqual(2);
    expect(simulated.served.filter((name) => name === 'b').length).toBeGreaterThanOrEqual(2);
  });

  test('an endless stream on one of them is never cut, and the big model is served when it ends', () => {
    const simulated = new SimulatedHost([...small.slice(0, 1), big], [100]);
    const round = (inFlight: number): void => {
      simulated.setInFlight('s0', inFlight);
      for (const open of simulated.openModels()) simulated.step(open);
      simulated.advance(2000);
    };
    simulated.arrive('s0');
    for (let rounds = 0; rounds < 30; rounds += 1) round(1);
    simulated.arrive('big');
    for (let rounds = 0; rounds < 300; rounds += 1) round(1);
    const calledOff = simulated.steps.flatMap(({ plan: decided }) =>
      decided.kind === 'apply' ? decided.actions.filter((action) => action.kind === 'withdraw-claim' && action.spareUntilMs !== null) : [],
    );
    expect(calledOff.length).toBeGreaterThan(0);
    expect(simulated.served).not.toContain('big');
    for (let rounds = 0; rounds < 300; rounds += 1) round(0);
    expect(simulated.served).toContain('big');
  });
});
