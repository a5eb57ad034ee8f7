import { asId } from '@berth/core';
import type { DrainingEndpoint, EdgeReplicaId, Generation, ReadyEndpoint, StartingEndpoint, StoppingEndpoint, Term } from '@berth/core';
import { randomUUID } from 'node:crypto';
import { createEdgeSession } from '../src/session/edge-session.ts';
import type { RedisEdgeSession } from '../src/session/edge-session.ts';
import type { EdgeSessionOptions } from '../src/session/edge-session-options.ts';
import type { RedisTarget } from '../src/connection/target.ts';

/** A target whose host is used by one test only. */
export function targetOf(url: string, log: RedisTarget['log'] = () => undefined): RedisTarget {
  return { url, hostId: `test-${randomUUID().slice(0, 8)}`, log };
}

export function readyEndpoint(generation: Generation, changes: Partial<ReadyEndpoint> = {}): ReadyEndpoint {
  return {
    ...base(generation),
    ...serving,
    state: 'ready',
    ...changes,
  };
}

export function startingEndpoint(generation: Generation, changes: Partial<StartingEndpoint> = {}): StartingEndpoint {
  return {
    ...base(generation),
    state: 'starting',
    discovery: false,
    startedAtMs: null,
    phase: 'created',
    usedBefore: [],
    deadlineAtMs: 10_000,
    ...changes,
  };
}

export function drainingOf(endpoint: ReadyEndpoint): DrainingEndpoint {
  return { ...endpoint, state: 'draining', reason: 'idle', claimedBy: null, drainingSinceMs: 0 };
}

export function stoppingOf(endpoint: ReadyEndpoint): StoppingEndpoint {
  const { urls, processIds } = endpoint;
  return {
    ...base(endpoint.generation),
    model: endpoint.model,
    state: 'stopping',
    reason: 'idle',
    failure: null,
    kill: false,
    stoppingSinceMs: 0,
    exitedAtMs: null,
    urls,
    processIds,
  };
}

/** A term that is current as long as its signal says so. */
export function termOf(epoch: string, signal: AbortSignal = new AbortController().signal): Term {
  return { epoch, signal, isCurrent: () => !signal.aborted };
}

/** An edge session with short times. */
export function openSession(target: RedisTarget, changes: Partial<EdgeSessionOptions> = {}): Promise<RedisEdgeSession> {
  return createEdgeSession({
    target,
    id: asId<EdgeReplicaId>(`edge-${randomUUID().slice(0, 8)}`),
    leaseTtlMs: 2000,
    leaseRenewMs: 200,
    degradedMs: 0,
    maxWaitersPerModel: 100,
    maxWaiters: 1000,
    ...changes,
  });
}

function base(generation: Generation) {
  return {
    generation,
    model: asId<ReadyEndpoint['model']>('llama'),
    signature: asId<ReadyEndpoint['signature']>('signature'),
    imageId: 'sha256:1',
    hasCounter: true,
    containerName: `berth-${generation}`,
    handle: asId<NonNullable<ReadyEndpoint['handle']>>(`handle-${generation}`),
    allocations: [{ gpuUuid: asId<ReadyEndpoint['allocations'][number]['gpuUuid']>('GPU-1'), vramMiB: 9000 }],
    servedNames: ['llama'],
    createdAtMs: 0,
    kvCacheBytes: null,
  };
}

const serving = {
  urls: { name: 'http://berth:8000', address: null, loopback: null },
  readyAtMs: 0,
  loadMs: 1000,
  processIds: [1],
  measured: [],
  maxModelLen: null,
  sparedUntilMs: null,
};
