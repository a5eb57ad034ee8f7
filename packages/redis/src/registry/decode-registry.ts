import { claimRecord, endpointRecord, quarantineRecord, stopRequestRecord, wishRecord } from '@berth/contracts';
import { asId } from '@berth/core';
import type { EdgeReplicaView, Generation, ModelName, PlacementRight, RegistryState, WaiterReport } from '@berth/core';
import type { StoredRegistry } from '../scripts/read-registry.ts';

/** Parses the registry as it is stored. Throws `UNKNOWN_VERSION`. */
export function decodeRegistry(stored: StoredRegistry): RegistryState {
  return {
    nowMs: stored.nowMs,
    endpoints: stored.endpoints.map((text) => endpointRecord.read(text)),
    lastUsedAtMs: new Map(pairs(stored.lastUsed).map(([generation, ms]) => [asId<Generation>(generation), Number(ms)])),
    edges: stored.edges.map(([id, expiresInMs, fields]) => decodeEdge(id, expiresInMs, pairs(fields))),
    claims: stored.claims.map((text) => claimRecord.read(text)),
    wishes: stored.wishes.map((text) => wishRecord.read(text)),
    quarantines: stored.quarantines.map((text) => quarantineRecord.read(text)),
    stopRequests: stored.stopRequests.map((text) => stopRequestRecord.read(text)),
  };
}

function decodeEdge(id: string, expiresInMs: number, fields: readonly (readonly [string, string])[]): EdgeReplicaView {
  return {
    id: asId(id),
    leases: fields
      .filter(([field]) => field.startsWith('l:'))
      .map(([field, inFlight]) => ({ generation: asId<Generation>(field.slice(2)), inFlight: Number(inFlight) })),
    waiters: fields.flatMap(([field, value]) => decodeWaiters(field, value)),
    expiresInMs,
  };
}

function decodeWaiters(field: string, value: string): readonly WaiterReport[] {
  const [, right, model] = /^w:(use|place|displace):(.+)$/s.exec(field) ?? [];
  const [count, oldest, latest] = value.split('|').map(Number);
  if (model === undefined || count === undefined || oldest === undefined || latest === undefined) return [];
  return [
    {
      model: asId<ModelName>(model),
      right: right as PlacementRight,
      count,
      oldestArrivedAtMs: oldest,
      latestDeadlineAtMs: latest,
    },
  ];
}

function pairs(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((key, index) => {
    const value = flat[index + 1];
    return index % 2 === 0 && value !== undefined ? [[key, value] as const] : [];
  });
}
