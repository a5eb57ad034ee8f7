import { describe, expect, it } from 'vitest';
import { model } from '../testing/builders.ts';
import { catalogOf } from '../testing/catalog.ts';
import { quarantineAfterExit, quarantineAfterLoad } from './quarantine.ts';

const context = { catalog: catalogOf({ models: { one: { source: 'a/b' } }, quarantine: { base: '10s', max: '60s' } }) };
const failure = { code: 'ENGINE_START_FAILED', message: 'it did not start', retryable: true } as const;
const MINUTE_MS = 60_000;

describe('back-off', () => {
  it('doubles with each failed start up to its maximum', () => {
    let last: ReturnType<typeof quarantineAfterLoad> | undefined;
    const waits = Array.from({ length: 5 }, () => {
      last = quarantineAfterLoad(context, last, { model: model('one'), failure, nowMs: 0 });
      return last.untilMs;
    });
    expect(waits).toEqual([10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  it('begins with the second exit of an engine that served, and grows from there', () => {
    let last: ReturnType<typeof quarantineAfterLoad> | undefined;
    const waits = Array.from({ length: 4 }, () => {
      last = quarantineAfterExit(context, last, { model: model('one'), readyAtMs: 0 }, { failure, nowMs: 1_000 });
      return last.untilMs - 1_000;
    });
    expect(waits).toEqual([0, 10_000, 20_000, 40_000]);
  });

  it('begins anew when the engine had served for long', () => {
    const earlier = { model: model('one'), failures: 4, untilMs: 0, failure };
    const nowMs = 6 * MINUTE_MS;
    expect(quarantineAfterExit(context, earlier, { model: model('one'), readyAtMs: 0 }, { failure, nowMs })).toMatchObject({
      failures: 1,
      untilMs: nowMs,
    });
  });
});
