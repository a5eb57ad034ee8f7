import { describe, expect, it } from 'vitest';
import { waitLimit } from './wait-limit.ts';

const limits = { model: { loadTimeoutMs: 1_800_000 }, coldStart: { waitMs: 270_000, streamWaitMs: null } };
const notAsked = { prefer: undefined, ...limits };

describe('waitLimit', () => {
  it('is coldStart.wait for a call, and the load timeout for a stream', () => {
    expect(waitLimit({ stream: false, ...notAsked })).toEqual({ limitMs: 270_000, preferenceApplied: null });
    expect(waitLimit({ stream: true, ...notAsked })).toEqual({ limitMs: 1_800_000, preferenceApplied: null });
    expect(waitLimit({ stream: true, ...notAsked, coldStart: { waitMs: 1, streamWaitMs: 5 } }).limitMs).toBe(5);
  });

  it.each([
    ['wait=10', 10],
    ['respond-async, wait=10', 10],
    ['Wait = "7"; x=y', 7],
    ['wait=0', 0],
    ['wait=270', 270],
    ['wait=007', 7],
  ])('applies Prefer: %s, and says so', (prefer, seconds) => {
    expect(waitLimit({ stream: false, prefer, ...limits })).toEqual({ limitMs: seconds * 1000, preferenceApplied: `wait=${seconds}` });
  });

  it.each(['wait=271', 'wait=99999', 'wait=-1', 'wait=abc', 'await=5', 'wait', 'wait=1.5'])('does not apply Prefer: %s', (prefer) => {
    expect(waitLimit({ stream: false, prefer, ...limits })).toEqual({ limitMs: 270_000, preferenceApplied: null });
  });

  it('takes the first of several, as the standard says', () => {
    expect(waitLimit({ stream: false, prefer: ['wait=3', 'wait=9'], ...limits }).preferenceApplied).toBe('wait=3');
  });
});
