import { asId } from '@berth/core';
import type { Endpoint } from '@berth/core';
import { describe, expect, it } from 'vitest';
import { jobFailure } from '../jobs/placement-job.ts';
import { endpointRecord } from './endpoint-record.ts';
import { claimRecord } from './placement-records.ts';

const base = {
  generation: asId<Endpoint['generation']>('1'),
  model: asId<Endpoint['model']>('llama'),
  signature: asId<Endpoint['signature']>('s'),
  imageId: 'sha256:1',
  hasCounter: true,
  containerName: 'c',
  handle: null,
  allocations: [{ gpuUuid: asId<Endpoint['allocations'][number]['gpuUuid']>('GPU-1'), vramMiB: 1 }],
  servedNames: ['llama'],
  createdAtMs: 1,
  kvCacheBytes: null,
};
const serving = {
  urls: { name: 'http://c', address: null, loopback: null },
  readyAtMs: 1,
  loadMs: 2,
  processIds: [3],
  measured: [],
  maxModelLen: 4096,
  sparedUntilMs: null,
};
const failure = { code: 'ENGINE_EXITED', message: 'exit 1', retryable: false, retryAfterMs: 1, details: { exitCode: 1 } } as const;
const endpoints: readonly Endpoint[] = [
  { ...base, state: 'starting', discovery: true, startedAtMs: null, phase: 'weights', usedBefore: [], deadlineAtMs: 9 },
  { ...base, ...serving, state: 'ready' },
  { ...base, ...serving, state: 'draining', reason: 'evicted', claimedBy: asId('other'), drainingSinceMs: 5 },
  {
    ...base,
    state: 'stopping',
    reason: 'exited',
    failure,
    kill: true,
    stoppingSinceMs: 5,
    exitedAtMs: 6,
    urls: null,
    processIds: [],
  },
];

describe('records', () => {
  it.each(endpoints)('reads an endpoint that is $state as it was written', (endpoint) => {
    expect(endpointRecord.read(endpointRecord.write(endpoint))).toEqual(endpoint);
  });

  it('writes nothing that its schema does not know', () => {
    expect(claimRecord.write({ ...claim, note: 'x' } as typeof claim)).not.toContain('note');
  });

  it.each([
    ['broken text', '{'],
    ['no version', JSON.stringify(claimOf())],
    ['a newer version', JSON.stringify({ ...claimOf(), version: 2 })],
    ['a field that is missing', JSON.stringify({ ...claimOf(), version: 1, victims: undefined })],
  ])('refuses %s with UNKNOWN_VERSION', (_what, text) => {
    expect(() => claimRecord.read(text)).toThrow(expect.objectContaining({ code: 'UNKNOWN_VERSION' }));
  });

  it('carries a failure with all its fields', () => {
    expect(jobFailure.read(jobFailure.write(failure))).toEqual(failure);
  });
});

const claim = claimOf();

function claimOf() {
  return {
    model: base.model,
    allocations: base.allocations,
    discovery: false,
    victims: [base.generation],
    claimedAtMs: 1,
    drainingSinceMs: null,
  };
}
