import type { ModelName, PlacementStatus, Plan, StartingEndpoint, StepLog } from '@berth/core';
import type { Observed } from '../snapshot/observe.ts';
import type { TermContext } from '../term/term-context.ts';

/** Tells the registry how a placement goes on, and the job's log when the plan differs from the one before. */
export async function reportStatus(context: TermContext, observed: Observed, model: ModelName, plan: Plan, log: StepLog): Promise<void> {
  const starting = observed.state.endpoints.find(
    (endpoint): endpoint is StartingEndpoint => endpoint.model === model && endpoint.state === 'starting',
  );
  const status: PlacementStatus = {
    model,
    stage: stageOf(plan),
    reasons: plan.reasons,
    updatedAtMs: observed.state.nowMs,
    detail: starting?.phase ?? null,
    progress: starting === undefined ? null : context.loads.progressOf(starting.generation),
    etaMs: starting === undefined ? null : etaOf(context, starting, observed.state.nowMs),
  };
  await context.registry.putPlacementStatus(context.term, status);
  if (!context.placements.isNews(model, essenceOf(plan))) return;
  context.log.info({ model, plan }, 'placement planned');
  await log(JSON.stringify({ plan: plan.kind, reasons: plan.reasons, ...(plan.kind === 'apply' ? { actions: plan.actions } : {}) }));
}

/** The placement ended, whatever with: nothing is pulled, awaited or started for it any more. */
export async function reportEnd(context: TermContext, model: ModelName): Promise<void> {
  const status = {
    model,
    stage: 'done',
    reasons: [],
    updatedAtMs: context.clock.nowMs(),
    detail: null,
    progress: null,
    etaMs: null,
  } as const;
  await context.registry.putPlacementStatus(context.term, status);
}

/** A plan without its numbers: time left and requests in flight change with every step, and are no other plan. */
function essenceOf(plan: Plan): string {
  const reasons = plan.reasons.map(({ code, gpuUuid, model, generation }) => [code, gpuUuid, model, generation]);
  const actions =
    plan.kind === 'apply' ? plan.actions.map((action) => [action.kind, 'generation' in action ? action.generation : null]) : [];
  return JSON.stringify([plan.kind, reasons, actions]);
}

/** Learned time left: the median of earlier loads less what has passed; `null` before the first. */
export function etaOf(context: Pick<TermContext, 'book'>, endpoint: StartingEndpoint, nowMs: number): number | null {
  const { model, signature, imageId, allocations } = endpoint;
  const loads = context.book
    .ofLaunch({ model, signature, imageId, gpuCount: allocations.length })
    .flatMap((footprint) => footprint.loads.map((load) => load.totalMs))
    .toSorted((one, other) => one - other);
  const median = loads[Math.floor(loads.length / 2)];
  if (median === undefined) return null;
  const passedMs = endpoint.startedAtMs === null ? 0 : nowMs - endpoint.startedAtMs;
  return Math.max(0, median - passedMs);
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
      return plan.reasons.some((reason) => reason.code === 'waiting-for-drain') ? 'draining' : 'waiting';
    case 'refuse':
      return 'done';
  }
}
