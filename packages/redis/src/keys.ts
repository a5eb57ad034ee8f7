import { OperationalError } from '@berth/core';
import type { EdgeReplicaId, Generation } from '@berth/core';

/** Name of the placement queue; its keys are `{prefix}:placement:…`. */
export const QUEUE_NAME = 'placement';

/** Every key of one GPU host. */
export interface Keys {
  /** `berth:{hostId}`, also BullMQ's prefix. The braces make the host the cluster's hash tag, so that one script may touch all its keys. */
  readonly prefix: string;
  /** String with expiry: id of the leading orchestrator. */
  readonly leaderLock: string;
  /** Hash: epoch, leader, since, registry (changes when Redis lost its data), runId and runIdSeenAt of the Redis process. */
  readonly term: string;
  /** String: the last generation handed out. */
  readonly lastGeneration: string;
  /** Sorted set of all registered generations, by number. */
  readonly endpoints: string;
  /** Prefix of one hash per generation: state, model, record. */
  readonly endpointPrefix: string;
  /** Prefix of one sorted set per model: its registered generations, by number. */
  readonly generationsPrefix: string;
  /** Sorted set: generation → when it was last used, Redis ms. */
  readonly lastUsed: string;
  /** Sorted set: edge replica → its last sync, Redis ms. An index only; the records decide. */
  readonly edges: string;
  /** Prefix of one hash with expiry per edge replica: nonce, seq, `l:{generation}`, `w:{right}:{model}`. */
  readonly edgePrefix: string;
  /** Hash: model → claim. */
  readonly claims: string;
  /** Hash: id → wish. */
  readonly wishes: string;
  /** Hash: model → quarantine. */
  readonly quarantines: string;
  /** Hash: id → stop request. */
  readonly stopRequests: string;
  /** Hash: model → placement status. */
  readonly statuses: string;
  /** Hash: what the leader publishes of itself; field `host`. */
  readonly published: string;
  /** Hash: footprint id → footprint. */
  readonly footprints: string;
  /** Channel: `{state} {generation} {model}` for every change of state. Hints only. */
  readonly hints: string;
  endpoint(generation: Generation): string;
  edge(id: EdgeReplicaId): string;
}

/** The only place that knows key names. Throws `INVALID_SETTINGS` for a host id that would break the hash tag. */
export function createKeys(hostId: string): Keys {
  if (!/^[^{}\s]+$/.test(hostId)) {
    throw new OperationalError({
      code: 'INVALID_SETTINGS',
      message: `host.id "${hostId}" cannot be part of a Redis key: use no braces and no white space, and at least one character.`,
      retryable: false,
      details: { hostId },
    });
  }
  const prefix = `berth:{${hostId}}`;
  const endpointPrefix = `${prefix}:endpoint:`;
  const edgePrefix = `${prefix}:edge:`;
  return {
    prefix,
    leaderLock: `${prefix}:leader-lock`,
    term: `${prefix}:term`,
    lastGeneration: `${prefix}:last-generation`,
    endpoints: `${prefix}:endpoints`,
    endpointPrefix,
    generationsPrefix: `${prefix}:generations:`,
    lastUsed: `${prefix}:last-used`,
    edges: `${prefix}:edges`,
    edgePrefix,
    claims: `${prefix}:claims`,
    wishes: `${prefix}:wishes`,
    quarantines: `${prefix}:quarantines`,
    stopRequests: `${prefix}:stop-requests`,
    statuses: `${prefix}:statuses`,
    published: `${prefix}:published`,
    footprints: `${prefix}:footprints`,
    hints: `${prefix}:hints`,
    endpoint: (generation) => `${endpointPrefix}${generation}`,
    edge: (id) => `${edgePrefix}${id}`,
  };
}
