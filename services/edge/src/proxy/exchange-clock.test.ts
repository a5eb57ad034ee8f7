import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExchangeClock } from './exchange-clock.ts';
import type { ExchangeTimeouts, Late } from './exchange-clock.ts';

function started(timeouts: Partial<ExchangeTimeouts> = {}) {
  const answer = { lastDataAtMs: 0 };
  const rings: Late[] = [];
  const clock = new ExchangeClock({ headTimeoutMs: 1000, idleTimeoutMs: 100, ...timeouts }, answer, (late) => rings.push(late));
  clock.start();
  const head = async () => {
    answer.lastDataAtMs = performance.now();
    clock.headCame();
    await pass(0);
  };
  return { answer, clock, rings, head };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('ExchangeClock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('rings once when the head does not come', async () => {
    const { rings } = started();
    await pass(998);
    expect(rings).toEqual([]);
    await pass(60_000);
    expect(rings).toEqual(['engine']);
  });

  it('never rings for a head that may take as long as it likes', async () => {
    const { rings } = started({ headTimeoutMs: null });
    await pass(86_400_000);
    expect(rings).toEqual([]);
  });

  it('waits for the head from the end of the body', async () => {
    const { clock, rings } = started();
    clock.awaitsBody = true;
    await pass(60_000);
    clock.awaitsBody = false;
    await pass(998);
    expect(rings).toEqual([]);
    await pass(3);
    expect(rings).toEqual(['engine']);
  });

  it('rings when an answer does not go on, from the last that came of it', async () => {
    const { answer, rings, head } = started();
    await head();
    for (let piece = 0; piece < 50; piece += 1) {
      await pass(90);
      answer.lastDataAtMs = performance.now();
    }
    expect(rings).toEqual([]);
    await pass(102);
    expect(rings).toEqual(['engine']);
  });

  it('lets an engine be silent while the client still sends', async () => {
    const { clock, rings, head } = started();
    clock.awaitsBody = true;
    await head();
    await pass(60_000);
    clock.awaitsBody = false;
    await pass(98);
    expect(rings).toEqual([]);
    await pass(200);
    expect(rings).toEqual(['engine']);
  });

  it('names the client that takes nothing, and gives the engine its time again when it does', async () => {
    const { clock, rings, head } = started();
    await head();
    await pass(90);
    clock.awaitsReader = true;
    await pass(90);
    clock.awaitsReader = false;
    await pass(90);
    clock.awaitsReader = true;
    await pass(98);
    expect(rings).toEqual([]);
    await pass(4);
    expect(rings).toEqual(['client']);
  });

  it('is silent once it was stopped, also for a head that came just before', async () => {
    const { clock, rings } = started();
    clock.headCame();
    clock.stop();
    clock.awaitsBody = true;
    clock.awaitsBody = false;
    await pass(60_000);
    expect(rings).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
