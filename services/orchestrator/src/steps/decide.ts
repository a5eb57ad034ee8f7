import type {
  Endpoint,
  EndpointSnapshot,
  GpuSnapshot,
  GpuUuid,
  HostReading,
  ModelName,
  OpenPlacement,
  Plan,
  Requirement,
  Snapshot,
} from '@berth/core';
import { budgetMiB, foreignMiB, plan } from '@berth/core';
import type { Observed } from '../snapshot/observe.ts';
import { isCurrent, settingsOf, type TermContext } from '../term/term-context.ts';

/** Becoming ready counts as a use, by Redis' clock and some ms after `readyAtMs`. A use that comes later is somebody's. */
const BECOMING_READY_MS = 500;

/** The plan for one model, with all that was looked at as the planner's snapshot. */
export function decide(
  context: TermContext,
  observed: Observed,
  requirements: ReadonlyMap<ModelName, Requirement>,
  model: ModelName,
): Plan {
  return plan(buildSnapshot(context, observed, requirements), model);
}

/** Everything the planner may look at. A placement whose requirement is not known yet (its image is missing), or that backs off, takes part in nothing. */
export function buildSnapshot(context: TermContext, observed: Observed, requirements: ReadonlyMap<ModelName, Requirement>): Snapshot {
  const { drain, residency } = context.catalog.protocol;
  const { state } = observed;
  return {
    nowMs: state.nowMs,
    readingsAvailable: context.gpus.available,
    gpus: buildGpus(context, observed),
    endpoints: state.endpoints.map((endpoint) => viewOf(context, observed, endpoint)),
    placements: openPlacements(observed, requirements),
    claims: state.claims,
    settings: { drainTimeoutMs: drain.timeoutMs, residencyMinimumMs: residency.minimumMs, residencyIdleMs: residency.idleMs },
  };
}

export function viewOf(context: TermContext, { state, demand }: Observed, endpoint: Endpoint): EndpointSnapshot {
  const inFlight = state.edges
    .flatMap((edge) => edge.leases)
    .filter((lease) => lease.generation === endpoint.generation)
    .reduce((sum, lease) => sum + lease.inFlight, 0);
  const settings = settingsOf(context, endpoint.model);
  const readyAtMs = endpoint.state === 'ready' || endpoint.state === 'draining' ? endpoint.readyAtMs : endpoint.createdAtMs;
  const recordedMs = state.lastUsedAtMs.get(endpoint.generation);
  return {
    endpoint,
    inFlight,
    lastUsedAtMs: inFlight > 0 ? state.nowMs : (recordedMs ?? readyAtMs),
    waiters: demand.get(endpoint.model)?.waiters ?? 0,
    current: isCurrent(context, endpoint),
    pinned: settings?.pinned ?? false,
    drained: endpoint.state === 'draining' && context.drains.isDrained(endpoint),
    preloaded: (settings?.preload ?? false) && (recordedMs === undefined || recordedMs - readyAtMs < BECOMING_READY_MS),
    usesGpu: settings === undefined ? endpoint.allocations.length > 0 : settings.gpus > 0,
  };
}

function openPlacements({ state, demand }: Observed, requirements: ReadonlyMap<ModelName, Requirement>): readonly OpenPlacement[] {
  return [...demand.values()].flatMap(({ model, asks, preloadOnly }) => {
    const requirement = requirements.get(model);
    const quarantined = state.quarantines.some((quarantine) => quarantine.model === model && quarantine.untilMs > state.nowMs);
    const hasEndpoint = state.endpoints.some((endpoint) => endpoint.model === model && endpoint.state !== 'stopping');
    return requirement === undefined || (quarantined && !hasEndpoint)
      ? []
      : asks.map(({ right, arrivedAtMs }) => ({ model, arrivedAtMs, right, preload: preloadOnly, requirement }));
  });
}

function buildGpus(context: TermContext, observed: Observed): readonly GpuSnapshot[] {
  const { budgetFraction, reserveMiB } = context.catalog.host;
  const known = context.gpus.latest;
  return (known?.gpus ?? []).flatMap((gpu) => {
    const budget = budgetMiB(gpu, { budgetFraction, reserveMiB });
    if (budget === null) return [];
    return [
      { uuid: gpu.uuid, index: gpu.index, product: gpu.product, budgetMiB: budget, foreignMiB: foreignOn(context, observed, gpu.uuid) },
    ];
  });
}

/**
 * Foreign memory by the reading of this step; unknown where there is none. Processes and cards are read one after the other, so what a
 * loading engine takes in between looks foreign once: while anything moves on a GPU, only what two readings in a row show counts. A start
 * waits for the driver's free memory anyway.
 */
function foreignOn(context: TermContext, { state, reading, processIds }: Observed, gpuUuid: GpuUuid): number | null {
  if (reading === null) return null;
  const settledMiB = context.memory.settledForeignMiB.get(gpuUuid) ?? null;
  const foreignBy = (one: HostReading) => foreignMiB({ gpuUuid, reading: one, endpoints: state.endpoints, processIds, settledMiB });
  const { previous } = context.gpus;
  const there = state.endpoints.filter((endpoint) => endpoint.allocations.some((one) => one.gpuUuid === gpuUuid));
  const moving = there.some((endpoint) => endpoint.state === 'starting' || endpoint.state === 'stopping');
  const now = foreignBy(reading);
  const before = moving && previous !== null ? foreignBy(previous) : null;
  return now === null || before === null ? now : Math.min(now, before);
}
