import type { EdgeReplicaId } from '@berth/core';
import type { RedisTarget } from '../connection/target.ts';

export interface EdgeSessionOptions {
  readonly target: RedisTarget;
  /** Unique per process. */
  readonly id: EdgeReplicaId;
  /** How long this replica's record lives without a sync. A lease is valid for 0.8 of it after its sync was sent. */
  readonly leaseTtlMs: number;
  /** Time between two syncs when nothing else causes one. */
  readonly leaseRenewMs: number;
  /** How much longer than a lease is valid requests go on beginning while Redis is away. */
  readonly degradedMs: number;
  /** Waiters over all edge replicas. */
  readonly maxWaitersPerModel: number;
  readonly maxWaiters: number;
  /** Closing the sockets to an endpoint may take this long; then the lease is given back all the same. Default 2000. */
  readonly closeSocketsTimeoutMs?: number;
}
