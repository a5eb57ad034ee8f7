import { claimRecord, endpointRecord, quarantineRecord, wishRecord } from '@berth/contracts';
import type { RegistryChange } from '@berth/core';
import type { Keys } from '../keys.ts';
import type { ScriptedChange } from '../scripts/commit-registry.ts';

/** A change as the commit script takes it; every record parsed on the way. */
export function encodeChange(keys: Keys, change: RegistryChange): ScriptedChange {
  return {
    expect: (change.expect ?? []).map(({ generation, state }) => [generation, state ?? ''] as const),
    put: (change.putEndpoints ?? []).map(
      (endpoint) => [endpoint.generation, endpoint.model, endpoint.state, endpointRecord.write(endpoint)] as const,
    ),
    remove: change.removeEndpoints ?? [],
    set: [
      ...(change.putClaims ?? []).map((claim) => [keys.claims, claim.model, claimRecord.write(claim)] as const),
      ...(change.putWishes ?? []).map((wish) => [keys.wishes, wish.id, wishRecord.write(wish)] as const),
      ...(change.putQuarantines ?? []).map((entry) => [keys.quarantines, entry.model, quarantineRecord.write(entry)] as const),
    ],
    unset: [
      ...(change.removeClaims ?? []).map((model) => [keys.claims, model] as const),
      ...(change.removeWishes ?? []).map((id) => [keys.wishes, id] as const),
      ...(change.removeQuarantines ?? []).map((model) => [keys.quarantines, model] as const),
      ...(change.removeStopRequests ?? []).map((id) => [keys.stopRequests, id] as const),
    ],
  };
}
