import { Hono } from 'hono';
import type { Catalog } from '@berth/config';
import type { AdminState } from '@berth/contracts';
import type { Endpoint, FailureShape, RegistryState } from '@berth/core';
import type { PlacementView, PlacementWatch } from '../placement/placement-watch.ts';
import { told } from './told.ts';

/** `GET /admin/v1/state`: GPUs with their ledger, endpoints, placements with their reasons, and who waits. 503 while Redis is away. */
export function adminState(parts: { readonly catalog: Catalog; readonly watch: PlacementWatch }): Hono {
  const hono = new Hono();
  hono.get('/admin/v1/state', (context) =>
    told(async () => context.json(stateBody(parts.catalog, await parts.watch.read({ maxAgeMs: 0 })))),
  );
  return hono;
}

function stateBody(catalog: Catalog, view: PlacementView): AdminState {
  const { registry, leader } = view;
  const host = leader?.host ?? null;
  return {
    version: 1,
    nowMs: registry.nowMs,
    leader: leader === null ? null : { id: leader.id, epoch: leader.epoch, sinceMs: leader.sinceMs },
    readingsAvailable: host?.readingsAvailable ?? null,
    problems: (host?.problems ?? []).map(({ code, message }) => ({ code, message })),
    gpus: (host?.gpus ?? []).map((gpu) => ({ ...gpu, foreignProcesses: [...gpu.foreignProcesses] })),
    endpoints: registry.endpoints.map((endpoint) => endpointBody(endpoint, registry)),
    placements: [...view.statuses.values()].map((status) => ({ ...status, reasons: status.reasons.map((reason) => ({ ...reason })) })),
    claims: registry.claims.map((claim) => ({ ...claim, allocations: [...claim.allocations], victims: [...claim.victims] })),
    wishes: [...registry.wishes],
    quarantines: registry.quarantines.map((entry) => ({ ...entry, failure: failureBody(entry.failure) })),
    edges: registry.edges.map((edge) => ({ ...edge, leases: [...edge.leases], waiters: [...edge.waiters] })),
    models: catalog.models.map(({ name, aliases, gpus, pinned }) => ({ name, aliases: [...aliases], gpus, pinned })),
  };
}

function endpointBody(endpoint: Endpoint, registry: RegistryState): AdminState['endpoints'][number] {
  const serving = endpoint.state === 'ready' || endpoint.state === 'draining' ? endpoint : null;
  const leases = registry.edges.flatMap((edge) => edge.leases.filter(({ generation }) => generation === endpoint.generation));
  const waiters = registry.edges.flatMap((edge) => edge.waiters.filter(({ model }) => model === endpoint.model));
  return {
    generation: endpoint.generation,
    model: endpoint.model,
    state: endpoint.state,
    containerName: endpoint.containerName,
    allocations: [...endpoint.allocations],
    inFlight: leases.reduce((sum, lease) => sum + lease.inFlight, 0),
    waiters: waiters.reduce((sum, waiter) => sum + waiter.count, 0),
    lastUsedAtMs: registry.lastUsedAtMs.get(endpoint.generation) ?? null,
    createdAtMs: endpoint.createdAtMs,
    readyAtMs: serving?.readyAtMs ?? null,
    phase: endpoint.state === 'starting' ? endpoint.phase : null,
    discovery: endpoint.state === 'starting' && endpoint.discovery,
    maxModelLen: serving?.maxModelLen ?? null,
    reason: endpoint.state === 'draining' || endpoint.state === 'stopping' ? endpoint.reason : null,
    failure: endpoint.state === 'stopping' && endpoint.failure !== null ? failureBody(endpoint.failure) : null,
  };
}

function failureBody(failure: FailureShape): AdminState['quarantines'][number]['failure'] {
  const { code, message, retryable, retryAfterMs, details } = failure;
  return {
    code,
    message,
    retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(details === undefined ? {} : { details }),
  };
}
