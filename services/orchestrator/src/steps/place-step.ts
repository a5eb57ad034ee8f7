import type { FailureShape, ModelName, Plan, StepLog, StepOutcome } from '@berth/core';
import { advanceEndpoints } from '../advance/advance-endpoints.ts';
import { findQuarantine } from '../learn/quarantine.ts';
import { observe, type Observed } from '../snapshot/observe.ts';
import { readRequirements } from '../snapshot/requirements.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { applyAction } from './apply-action.ts';
import { decide } from './decide.ts';
import { dropClaim, dropWishes, failed, giveUp } from './give-up.ts';
import { reportEnd, reportStatus } from './placement-status.ts';
import { pullMissing } from './pull-missing.ts';

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
const WISHING_MS = 2_000;

/**
 * One short step of a model's placement: look, let every endpoint move on, plan anew, perform the plan's actions, and finish or come back.
 * It keeps nothing between two steps.
 */
export async function placeStep(context: TermContext, model: ModelName, log: StepLog): Promise<StepOutcome> {
  context.placements.step(model, context.clock.nowMs());
  const outcome = await step(context, model, log);
  if (outcome.kind !== 'later') await end(context, model, outcome);
  return outcome;
}

async function step(context: TermContext, model: ModelName, log: StepLog): Promise<StepOutcome> {
  let observed = await observe(context, { readingMaxAgeMs: PLANNING_READING_MAX_AGE_MS });
  const settings = settingsOf(context, model);
  if (settings === undefined) return giveUp(context, observed, model, notInCatalog(model));
  if (await advanceEndpoints(context, observed)) observed = await observe(context, { readingMaxAgeMs: PLANNING_READING_MAX_AGE_MS });

  if (!observed.demand.has(model)) return abandon(context, observed, model);
  const quarantine = findQuarantine(observed.state, model);
  if (quarantine !== undefined && quarantine.untilMs > observed.state.nowMs && !hasEndpoint(observed, model)) {
    await dropClaim(context, observed, model);
    // A wish outlasts the back-off: it is placed when that ends.
    return failed({ ...quarantine.failure, retryAfterMs: quarantine.untilMs - observed.state.nowMs });
  }
  const missing = await pullMissing(context, settings, observed);
  if (missing !== null) return missing;

  const requirements = await readRequirements(context, observed.demand.keys());
  if (!requirements.has(model)) return { kind: 'later', delayMs: WAITING_MS };
  let plan = decide(context, observed, requirements, model);
  if (needsFreshReading(plan)) {
    observed = await observe(context, { readingMaxAgeMs: DECIDING_READING_MAX_AGE_MS });
    if (!observed.demand.has(model)) return abandon(context, observed, model);
    plan = decide(context, observed, requirements, model);
  }
  return perform(context, observed, model, plan, log);
}

/** One line per job, and a status that says that nothing goes on any more. */
async function end(context: TermContext, model: ModelName, outcome: Exclude<StepOutcome, { kind: 'later' }>): Promise<void> {
  context.metrics.placementEnded(model, outcome);
  await reportEnd(context, model);
  const { tookMs, steps } = context.placements.end(model, context.clock.nowMs());
  const generation = outcome.kind === 'ready' ? outcome.generation : null;
  const failure = outcome.kind === 'failed' ? outcome.failure : null;
  context.log.info({ model, outcome: outcome.kind, generation, failure, tookMs, steps }, 'placement ended');
}

async function perform(context: TermContext, observed: Observed, model: ModelName, plan: Plan, log: StepLog): Promise<StepOutcome> {
  context.metrics.planned(plan);
  await reportStatus(context, observed, model, plan, log);
  switch (plan.kind) {
    case 'serving':
      return serving(context, observed, model, plan.generation);
    case 'joined':
      return { kind: 'later', delayMs: LOADING_MS };
    case 'wait':
      return { kind: 'later', delayMs: WAITING_MS };
    case 'refuse':
      // What stands in the way may go by itself. Nobody is kept waiting by a wish: it goes on until it ends.
      if (plan.code === 'NO_CAPACITY_NOW' && observed.demand.get(model)?.waiters === 0) return { kind: 'later', delayMs: WISHING_MS };
      if (plan.code === 'DOES_NOT_FIT') await dropWishes(context, observed, model);
      return failed({
        code: plan.code,
        message: plan.code === 'DOES_NOT_FIT' ? `${plan.message}${lengthRemedy(context, model)}` : plan.message,
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

/** The engine's own estimate of the context that the catalog's KV cache holds, where what was asked for needs more than a card has. */
function lengthRemedy(context: TermContext, model: ModelName): string {
  const signature = context.signatures.get(model);
  const learned = context.book.ofModel(model).find((one) => one.signature === signature && typeof one.estimatedMaxModelLen === 'number');
  return learned === undefined ? '' : ` Or lower --max-model-len to at most ${learned.estimatedMaxModelLen}: its kvCache holds that.`;
}

/** Nobody waits and nobody wishes: the claim is dropped and its drains are called off. A container that exists is driven on by tending. */
async function abandon(context: TermContext, observed: Observed, model: ModelName): Promise<StepOutcome> {
  await dropClaim(context, observed, model);
  return { kind: 'abandoned' };
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

function notInCatalog(model: ModelName): FailureShape {
  return {
    code: 'MODEL_NOT_FOUND',
    message: `The orchestrator's catalog has no model ${model}. Give edge and orchestrator the same berth.yaml.`,
    retryable: false,
  };
}
