import type { QueueReason } from '@berth/contracts';
import { coldStartPhaseOf } from '@berth/core';
import type { ColdStartPhase, Endpoint, ModelName, PlacementStatus, ReasonCode, RegistryState } from '@berth/core';
import type { PlacementView } from './placement-watch.ts';

/** A placement under way is reported with every step, at least every 2 s; an older report is of one that was given up. */
const STATUS_LIVES_MS = 15_000;

/** How far a model is, for clients, heartbeats and people. */
export interface ModelProgress {
  readonly state: 'cold' | 'placing' | 'starting' | 'ready' | 'draining' | 'stopping';
  /** `null` where nobody asks for the model, and where it is ready. */
  readonly phase: ColdStartPhase | null;
  /** Whose end is awaited while `phase` is `draining`. */
  readonly victims: readonly ModelName[];
  /** What is awaited while `phase` is `queued`, where the plan says. */
  readonly waitingFor: QueueReason | null;
  /** 0..1 of the whole load. */
  readonly progress: number | null;
  /** 0..1 of a pull or of the present phase of the load. */
  readonly phaseProgress: number | null;
  /** Learned time left until ready; told once the start is decided. */
  readonly etaMs: number | null;
  readonly endpoint: Endpoint | null;
  readonly status: PlacementStatus | null;
}

const STATE_ORDER: readonly Endpoint['state'][] = ['ready', 'starting', 'draining', 'stopping'];

/** What a plan's reason to wait is in words for clients. */
const QUEUE_REASONS: ReadonlyMap<ReasonCode, QueueReason> = new Map([
  ['waiting-for-start-slot', 'start-slot'],
  ['waiting-for-older-placement', 'older-placement'],
  ['victim-not-settled', 'residency'],
  ['waiting-for-drain', 'memory'],
  ['waiting-for-memory', 'memory'],
  ['foreign-memory', 'memory'],
  ['over-budget', 'memory'],
  ['no-victims-left', 'memory'],
  ['waiting-for-readings', 'gpu-readings'],
  ['may-not-place', 'right'],
  ['may-not-displace', 'right'],
]);

/**
 * How far the model is: the most useful of its endpoints, and the placement under way if somebody asks for one. `waiting`: whoever wants to
 * know waits for it, whether or not the registry has heard of that already.
 */
export function progressOf(view: PlacementView, model: ModelName, { waiting = false }: { readonly waiting?: boolean } = {}): ModelProgress {
  const { registry } = view;
  const own = registry.endpoints.filter((endpoint) => endpoint.model === model);
  const endpoint = own.toSorted((left, right) => STATE_ORDER.indexOf(left.state) - STATE_ORDER.indexOf(right.state))[0] ?? null;
  const asked = endpoint?.state !== 'ready' && (waiting || isAskedFor(registry, model));
  const status = asked || endpoint?.state === 'starting' ? liveStatus(view, model) : null;
  const victims = asked && endpoint?.state !== 'starting' ? leavingVictims(registry, model) : [];
  const phase = endpoint?.state === 'starting' ? coldStartPhaseOf(endpoint.phase) : asked ? placingPhase(status, victims) : null;
  return {
    state: endpoint === null || endpoint.state === 'stopping' ? (asked ? 'placing' : (endpoint?.state ?? 'cold')) : endpoint.state,
    phase: endpoint?.state === 'starting' ? (phase ?? 'starting') : (phase ?? null),
    victims,
    waitingFor: phase === 'queued' && status !== null ? queueReason(status) : null,
    progress: status?.progress ?? null,
    phaseProgress: status?.phaseProgress ?? null,
    etaMs: status?.etaMs == null ? null : Math.max(0, status.etaMs - ageMs(view, status)),
    endpoint,
    status,
  };
}

/** The same without the names of models that do not exist for whoever asks. */
export function discreet(progress: ModelProgress, mayUse: (model: ModelName) => boolean): ModelProgress {
  return progress.victims.length === 0 ? progress : { ...progress, victims: progress.victims.filter(mayUse) };
}

/** False while it is known that others hold what it needs, or go first; else waiting longer will do. */
export function isOnItsWay({ phase, status }: Pick<ModelProgress, 'phase' | 'status'>): boolean {
  return phase !== 'draining' && !(phase === 'queued' && status !== null);
}

/** Whole seconds for clients. A model that is not ready is at least one away. */
export function etaSeconds({ etaMs }: Pick<ModelProgress, 'etaMs'>): number | null {
  return etaMs === null ? null : Math.max(1, Math.ceil(etaMs / 1000));
}

function placingPhase(status: PlacementStatus | null, victims: readonly ModelName[]): ColdStartPhase {
  if (victims.length > 0) return 'draining';
  return status?.stage === 'pulling' ? 'pulling' : status?.stage === 'starting' ? 'starting' : 'queued';
}

/** Somebody waits or wishes for it, at this edge or another. */
function isAskedFor({ edges, wishes, nowMs }: RegistryState, model: ModelName): boolean {
  return (
    wishes.some((wish) => wish.model === model && wish.endsAtMs > nowMs) ||
    edges.some(({ waiters }) => waiters.some((report) => report.model === model && report.count > 0))
  );
}

/** Models of the claim's victims that drain or stop right now. */
function leavingVictims({ claims, endpoints }: RegistryState, model: ModelName): readonly ModelName[] {
  const claimed = claims.find((claim) => claim.model === model)?.victims ?? [];
  const leaving = endpoints.filter(
    ({ generation, state }) => claimed.includes(generation) && (state === 'draining' || state === 'stopping'),
  );
  return [...new Set(leaving.map((victim) => victim.model))];
}

function queueReason({ reasons }: PlacementStatus): QueueReason | null {
  for (const { code } of reasons) {
    const reason = QUEUE_REASONS.get(code);
    if (reason !== undefined) return reason;
  }
  return null;
}

function liveStatus(view: PlacementView, model: ModelName): PlacementStatus | null {
  const status = view.statuses.get(model);
  return status !== undefined && status.stage !== 'done' && ageMs(view, status) < STATUS_LIVES_MS ? status : null;
}

function ageMs(view: PlacementView, status: PlacementStatus): number {
  return Math.max(0, view.registry.nowMs - status.updatedAtMs) + (performance.now() - view.readAtMs);
}
