import { describe, expect, it } from 'vitest';
import { waitLimitMs } from './wait-limit.ts';

const limits = { model: { loadTimeoutMs: 1_800_000 }, coldStart: { waitMs: 270_000, streamWaitMs: null } };

describe('waitLimitMs', () => {
  it('is coldStart.wait for a call, and the load timeout for a stream', () => {
    expect(waitLimitMs({ stream: false, prefer: undefined, ...limits })).toBe(270_000);
    expect(waitLimitMs({ stream: true, prefer: undefined, ...limits })).toBe(1_800_000);
    expect(waitLimitMs({ stream: true, prefer: undefined, ...limits, coldStart: { waitMs: 1, streamWaitMs: 5 } })).toBe(5);
  });

  it.each([
    ['wait=10', 10_000],
    ['respond-async, wait=10', 10_000],
    ['Wait = "7"; x=y', 7000],
    ['wait=0', 0],
    ['wait=99999', 270_000],
    ['wait=-1', 270_000],
    ['wait=abc', 270_000],
    ['await=5', 270_000],
  ])('takes Prefer: %s as %i ms', (prefer, wanted) => {
    expect(waitLimitMs({ stream: false, prefer, ...limits })).toBe(wanted);
  });
});
