import type { ModelName, PlacementStatus, Plan, StartingEndpoint, StepLog } from '@berth/core';
import { estimateLoad } from '../learn/estimate-load.ts';
import { loadsOf } from '../learn/load-times.ts';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';

type LoadStatus = Pick<PlacementStatus, 'detail' | 'progress' | 'phaseProgress' | 'etaMs'>;
const UNKNOWN_LOAD: LoadStatus = { detail: null, progress: null, phaseProgress: null, etaMs: null };

/** Tells the registry how a placement goes on, and the job's log when the plan differs from the one before. */
export async function reportStatus(context: TermContext, observed: Observed, model: ModelName, plan: Plan, log: StepLog): Promise<void> {
  const starting = observed.state.endpoints.find(
    (endpoint): endpoint is StartingEndpoint => endpoint.model === model && endpoint.state === 'starting',
  );
  const status = { model, stage: stageOf(plan), reasons: plan.reasons, updatedAtMs: observed.state.nowMs };
  const load = starting === undefined ? UNKNOWN_LOAD : loadStatus(context, starting, observed.state.nowMs);
  await context.registry.putPlacementStatus(context.term, { ...status, ...load });
  if (!context.placements.isNews(model, essenceOf(plan))) return;
  context.log.info({ model, plan }, 'placement planned');
  await log(JSON.stringify({ plan: plan.kind, reasons: plan.reasons, ...(plan.kind === 'apply' ? { actions: plan.actions } : {}) }));
}

/** Tells how loads go on that nobody waits or wishes for any more: their placements ended, and tending drives them to their end. */
export async function reportUnaskedLoads(context: TermContext, { state, demand }: Observed): Promise<void> {
  for (const endpoint of state.endpoints) {
    if (endpoint.state !== 'starting' || demand.has(endpoint.model)) continue;
    const status = { model: endpoint.model, stage: 'starting', reasons: [], updatedAtMs: state.nowMs } as const;
    await context.registry.putPlacementStatus(context.term, { ...status, ...loadStatus(context, endpoint, state.nowMs) });
  }
}

/** The placement ended, whatever with: nothing is pulled, awaited or started for it any more. */
export async function reportEnd(context: TermContext, model: ModelName): Promise<void> {
  const status = { model, stage: 'done', reasons: [], updatedAtMs: context.clock.nowMs() } as const;
  await context.registry.putPlacementStatus(context.term, { ...status, ...UNKNOWN_LOAD });
}

/**
 * How far a load is. Its time left is told from its reservation on: what queueing, pulling and draining take was never learned, and would
 * make it a promise about others.
 */
export function loadStatus(
  context: Pick<TermContext, 'book'> & { readonly loads: Pick<TermContext['loads'], 'phaseOf'> },
  endpoint: StartingEndpoint,
  nowMs: number,
): LoadStatus {
  const { generation, startedAtMs } = endpoint;
  const watched = context.loads.phaseOf(generation);
  const phase = watched?.phase ?? endpoint.phase;
  const sinceMs = watched?.sinceMs ?? null;
  const passedMs = startedAtMs === null ? 0 : nowMs - startedAtMs;
  const { leftMs, progress } = estimateLoad(loadsOf(context, endpoint), {
    phase,
    inPhaseMs: sinceMs === null ? null : nowMs - sinceMs,
    passedMs,
  });
  return { detail: phase, progress, phaseProgress: watched?.progress ?? null, etaMs: leftMs };
}

/** A plan without its numbers: time left and requests in flight change with every step, and are no other plan. */
function essenceOf(plan: Plan): string {
  const reasons = plan.reasons.map(({ code, gpuUuid, model, generation }) => [code, gpuUuid, model, generation]);
  const actions =
    plan.kind === 'apply' ? plan.actions.map((action) => [action.kind, 'generation' in action ? action.generation : null]) : [];
  return JSON.stringify([plan.kind, reasons, actions]);
}

function stageOf(plan: Plan): PlacementStatus['stage'] {
  switch (plan.kind) {
    case 'serving':
      return 'done';
    case 'joined':
      return 'starting';
    case 'apply':
      if (plan.actions.some((action) => action.kind === 'start')) return 'starting';
      return plan.actions.some((action) => action.kind === 'begin-drain' || action.kind === 'stop') ? 'draining' : 'waiting';
    case 'wait':
      return plan.reasons.some(({ code }) => code === 'waiting-for-drain' || code === 'waiting-for-memory') ? 'draining' : 'waiting';
    case 'refuse':
      return 'done';
  }
}
