import type { FailureShape, ModelName, PlacementStatus, Plan, StepLog, StepOutcome } from '@berth/core';
import type { ModelSettings } from '@berth/config';
import { advanceEndpoints } from '../advance/advance-endpoints.ts';
import { findQuarantine } from '../learn/quarantine.ts';
import { observe, type Observed } from '../snapshot/observe.ts';
import { readRequirements } from '../snapshot/requirements.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { applyAction, withdrawClaim } from './apply-action.ts';
import { decide } from './decide.ts';
import { reportStatus } from './placement-status.ts';

/**
 * A start beside others is planned by the last reading, however old: whatever of ours changed was followed by a newer one, and the start
 * itself waits for a fresh one. Foreign memory that came meanwhile shows there, and room is made as for any host over its budget. Reading
 * first would put nvidia-smi's container, half a second and more, in front of every cold start.
 */
const PLANNING_READING_MAX_AGE_MS = Number.POSITIVE_INFINITY;
/** Evicting or refusing by an older one could be wrong. */
const DECIDING_READING_MAX_AGE_MS = 2_000;
const SOON_MS = 20;
const LOADING_MS = 1_000;
const WAITING_MS = 300;

/**
 * One short step of a model's placement: look, let every endpoint move on, plan anew, perform the plan's actions, and finish or come back.
 * It keeps nothing between two steps.
 */
export async function placeStep(context: TermContext, model: ModelName, log: StepLog): Promise<StepOutcome> {
  const settings = settingsOf(context, model);
  if (settings === undefined) return failed(notInCatalog(model));
  let observed = await observe(context, { readingMaxAgeMs: PLANNING_READING_MAX_AGE_MS });
  if (await advanceEndpoints(context, observed)) observed = await observe(context, { readingMaxAgeMs: PLANNING_READING_MAX_AGE_MS });

  if (!observed.demand.has(model)) return abandon(context, observed, model);
  const quarantine = findQuarantine(observed.state, model);
  if (quarantine !== undefined && quarantine.untilMs > observed.state.nowMs && !hasEndpoint(observed, model)) {
    return failed({ ...quarantine.failure, retryAfterMs: quarantine.untilMs - observed.state.nowMs });
  }
  const missing = await pullMissing(context, settings, observed);
  if (missing !== null) return missing;

  const requirements = await readRequirements(context, observed.demand.keys());
  if (!requirements.has(model)) return { kind: 'later', delayMs: WAITING_MS };
  let plan = decide(context, observed, requirements, model);
  if (needsFreshReading(plan)) {
    observed = await observe(context, { readingMaxAgeMs: DECIDING_READING_MAX_AGE_MS });
    plan = decide(context, observed, requirements, model);
  }
  return perform(context, observed, model, plan, log);
}

async function perform(context: TermContext, observed: Observed, model: ModelName, plan: Plan, log: StepLog): Promise<StepOutcome> {
  await reportStatus(context, observed, model, plan, log);
  switch (plan.kind) {
    case 'serving':
      return serving(context, observed, model, plan.generation);
    case 'joined':
      return { kind: 'later', delayMs: LOADING_MS };
    case 'wait':
      return { kind: 'later', delayMs: WAITING_MS };
    case 'refuse':
      await dropWishes(context, observed, model);
      return failed({
        code: plan.code,
        message: plan.message,
        retryable: plan.code === 'NO_CAPACITY_NOW',
        ...(plan.retryAfterMs === null ? {} : { retryAfterMs: plan.retryAfterMs }),
        details: { reasons: plan.reasons },
      });
    case 'apply': {
      let seen = observed;
      for (const action of plan.actions) {
        await applyAction(context, seen, action);
        // The next action may be about an endpoint that this one changed.
        seen = { ...seen, state: await context.registry.read() };
        if (action.kind === 'start') await createNow(context);
      }
      return { kind: 'later', delayMs: SOON_MS };
    }
  }
}

/** Goes on with a reservation that was just written, so that a container is created within the step that decided so. */
async function createNow(context: TermContext): Promise<void> {
  await advanceEndpoints(context, await observe(context, { readingMaxAgeMs: PLANNING_READING_MAX_AGE_MS }));
}

async function serving(context: TermContext, observed: Observed, model: ModelName, generation: StepServing): Promise<StepOutcome> {
  await dropWishes(context, observed, model);
  return { kind: 'ready', generation };
}
type StepServing = Extract<Plan, { kind: 'serving' }>['generation'];

/** Nobody waits and nobody wishes: the claim is dropped and its drains are called off. A container that exists is driven on by tending. */
async function abandon(context: TermContext, observed: Observed, model: ModelName): Promise<StepOutcome> {
  if (observed.state.claims.some((claim) => claim.model === model)) await withdrawClaim(context, observed, model, null);
  return { kind: 'abandoned' };
}

async function pullMissing(context: TermContext, settings: ModelSettings, observed: Observed): Promise<StepOutcome | null> {
  if ((await context.images.resolve(settings)) !== null || settings.image === null) return null;
  const pull = context.pulls.ensure(settings.image, settings.pullTimeoutMs);
  if (pull.kind === 'failed') return failed({ ...pull.failure, retryAfterMs: LOADING_MS });
  const status: PlacementStatus = {
    model: settings.name,
    stage: 'pulling',
    reasons: [],
    updatedAtMs: observed.state.nowMs,
    detail: `pulling ${settings.image}: ${pull.progress.message}`,
    progress: pull.progress.fraction,
    etaMs: null,
  };
  await context.registry.putPlacementStatus(context.term, status);
  return { kind: 'later', delayMs: LOADING_MS };
}

async function dropWishes(context: TermContext, { state }: Observed, model: ModelName): Promise<void> {
  const removeWishes = state.wishes.filter((wish) => wish.model === model).map((wish) => wish.id);
  if (removeWishes.length > 0) await context.registry.commit(context.term, { removeWishes });
}

function needsFreshReading(plan: Plan): boolean {
  switch (plan.kind) {
    case 'serving':
    case 'joined':
      return false;
    case 'apply':
      return plan.actions.some(
        (action) => action.kind === 'write-claim' || action.kind === 'begin-drain' || (action.kind === 'start' && action.discovery),
      );
    case 'wait':
    case 'refuse':
      return true;
  }
}

function hasEndpoint({ state }: Observed, model: ModelName): boolean {
  return state.endpoints.some((endpoint) => endpoint.model === model && endpoint.state !== 'stopping');
}

function failed(failure: FailureShape): StepOutcome {
  return { kind: 'failed', failure };
}

function notInCatalog(model: ModelName): FailureShape {
  return {
    code: 'MODEL_NOT_FOUND',
    message: `The orchestrator's catalog has no model ${model}. Give edge and orchestrator the same berth.yaml.`,
    retryable: false,
  };
}
