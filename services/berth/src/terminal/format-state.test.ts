import type { AdminState } from '@berth/contracts';
import { expect, test } from 'vitest';
import { formatState } from './format-state.ts';

const state: AdminState = {
  version: 1,
  nowMs: 1_000_000,
  leader: { id: 'host:1', epoch: '1', sinceMs: 940_000 },
  readingsAvailable: true,
  problems: [],
  gpus: [
    {
      uuid: 'GPU-1',
      index: 0,
      product: 'Simulated 24 GB',
      totalMiB: 24_576,
      budgetMiB: 23_808,
      usedMiB: 6000,
      foreignMiB: null,
      freeMiB: 18_000,
      reservedMiB: 0,
      claimedMiB: 0,
      endpointsMiB: 5900,
      foreignProcesses: [],
    },
  ],
  endpoints: [
    {
      generation: '1',
      model: 'small',
      state: 'ready',
      containerName: 'berth-small-1',
      allocations: [{ gpuUuid: 'GPU-1', vramMiB: 5900 }],
      inFlight: 2,
      waiters: 0,
      lastUsedAtMs: 995_000,
      createdAtMs: 900_000,
      readyAtMs: 910_000,
      phase: null,
      discovery: false,
      maxModelLen: 8192,
      reason: null,
      failure: null,
    },
  ],
  placements: [],
  claims: [],
  wishes: [],
  quarantines: [],
  edges: [],
  models: [
    { name: 'small', aliases: [], gpus: 1, pinned: false },
    { name: 'large', aliases: [], gpus: 1, pinned: false },
  ],
};

test('shows each GPU and each model, those that are stopped too', () => {
  const text = formatState(state);
  expect(text).toContain('leading for 1m');
  expect(text).toMatch(/0\s+Simulated 24 GB\s+23808\s+5900/);
  expect(text).toMatch(/small\s+ready\s+5900\s+2\s+0\s+5s ago\s+1m30s/);
  expect(text).toMatch(/large\s+stopped/);
});

test('says unknown for a reading that is missing, never 0', () => {
  expect(
    formatState(state)
      .split('\n')
      .find((line) => line.includes('Simulated')),
  ).toContain('unknown');
});

test('says that nothing is placed when no orchestrator leads, and shows problems', () => {
  const text = formatState({ ...state, leader: null, problems: [{ code: 'GPU_PROBE_FAILED', message: 'nvidia-smi hangs' }] });
  expect(text).toContain('no orchestrator leads');
  expect(text).toContain('PROBLEM GPU_PROBE_FAILED: nvidia-smi hangs');
});

test('shows models in quarantine until its end, after which it is only remembered', () => {
  const failure = { code: 'ENGINE_EXITED', message: 'signal 9', retryable: true, details: {} };
  const quarantine = { model: 'small', failures: 2, untilMs: state.nowMs + 30_000, failure };
  expect(formatState({ ...state, quarantines: [quarantine] })).toMatch(/small\s+2\s+30s\s+signal 9/);
  expect(formatState({ ...state, quarantines: [{ ...quarantine, untilMs: state.nowMs }] })).not.toContain('quarantine');
});
