import type { Action, DrainingEndpoint, Endpoint, Generation, ModelName, RegistryChange, StartingEndpoint } from '@berth/core';
import { OperationalError, transition } from '@berth/core';
import { logChange } from '../advance/change-endpoint.ts';
import { stopDrained } from '../advance/advance-serving.ts';
import { containerNameOf } from '../launch/engine-spec.ts';
import type { Observed } from '../snapshot/observe.ts';
import { pinnedKvBytes } from '../snapshot/requirements.ts';
import { preloadWish } from '../term/preload.ts';
import { settingsOf, type TermContext } from '../term/term-context.ts';
import { viewOf } from './decide.ts';

/**
 * Performs one action of a plan. Every write expects what the plan saw; when something moved meanwhile it throws `STALE_STATE`, and the step
 * begins anew. Repeating an action that was done changes nothing.
 */
export async function applyAction(context: TermContext, observed: Observed, action: Action): Promise<void> {
  switch (action.kind) {
    case 'withdraw-claim':
      return withdrawClaim(context, observed, action.model, action.spareUntilMs);
    case 'call-off-drain':
      return callOffDrain(context, observed, action.generation, action.spareUntilMs);
    case 'write-claim':
      return context.registry.commit(context.term, { putClaims: [action.claim] });
    case 'begin-drain':
      return beginDrain(context, observed, action);
    case 'stop':
      return stopVictim(context, observed, action.generation);
    case 'start':
      return reserve(context, action);
  }
}

/**
 * Drops a claim and calls its drains off, in one write: memory that nobody claims any more is nobody's reason to drain. A victim that drains
 * for another reason by now, an operator's above all, drains on.
 */
export async function withdrawClaim(
  context: TermContext,
  observed: Observed,
  model: ModelName,
  spareUntilMs: number | null,
): Promise<void> {
  const victims = observed.state.endpoints.filter(isEvictedFor(model));
  const served = victims.map((endpoint) => transition(endpoint, { kind: 'drain-called-off', sparedUntilMs: spareUntilMs }));
  await context.registry.commit(context.term, {
    expect: victims.map(({ generation, state }) => ({ generation, state })),
    putEndpoints: served,
    removeClaims: [model],
  });
  for (const victim of victims) {
    context.drains.forget(victim.generation);
    logChange(context, victim, { state: 'ready' }, 'claim-withdrawn');
  }
}

function isEvictedFor(model: ModelName): (endpoint: Endpoint) => endpoint is DrainingEndpoint {
  return (endpoint): endpoint is DrainingEndpoint =>
    endpoint.state === 'draining' && endpoint.reason === 'evicted' && endpoint.claimedBy === model;
}

async function callOffDrain(context: TermContext, observed: Observed, generation: Generation, spareUntilMs: number | null): Promise<void> {
  const endpoint = find(observed, generation);
  if (endpoint.state === 'ready') return;
  const next = transition(endpoint, { kind: 'drain-called-off', sparedUntilMs: spareUntilMs });
  await context.registry.commit(context.term, { expect: [{ generation, state: endpoint.state }], putEndpoints: [next] });
  context.drains.forget(generation);
  logChange(context, endpoint, next, 'drain-called-off');
}

async function beginDrain(context: TermContext, observed: Observed, action: Extract<Action, { kind: 'begin-drain' }>): Promise<void> {
  const endpoint = find(observed, action.generation);
  if (endpoint.state === 'stopping') return;
  const next = transition(endpoint, {
    kind: 'drain-begun',
    reason: action.reason,
    claimedBy: action.claimedBy,
    atMs: context.clock.nowMs(),
  });
  await context.registry.commit(context.term, { expect: [{ generation: action.generation, state: endpoint.state }], putEndpoints: [next] });
  context.drains.isDrained(next);
  logChange(context, endpoint, next, action.reason);
}

async function stopVictim(context: TermContext, observed: Observed, generation: Generation): Promise<void> {
  const endpoint = find(observed, generation);
  if (endpoint.state !== 'draining') return;
  await wishBack(context, observed, endpoint);
  await stopDrained(context, endpoint);
}

/** A preloaded endpoint that makes room for the discovery of another preload is placed again when that is done, where it fits. */
async function wishBack(context: TermContext, observed: Observed, endpoint: DrainingEndpoint): Promise<void> {
  const forPreload = endpoint.claimedBy !== null && observed.demand.get(endpoint.claimedBy)?.preloadOnly === true;
  const model = settingsOf(context, endpoint.model);
  if (!forPreload || model === undefined || !viewOf(context, observed, endpoint).preloaded) return;
  await context.registry.commit(context.term, { putWishes: [preloadWish(model, observed.state.nowMs)] });
}

/** The reservation and the end of the placement's own claim are one write, so that its memory is held without a gap. */
async function reserve(context: TermContext, action: Extract<Action, { kind: 'start' }>): Promise<void> {
  const model = settingsOf(context, action.model);
  const signature = context.signatures.get(action.model);
  const imageId = model === undefined ? null : await context.images.resolve(model);
  if (model === undefined || signature === undefined || imageId === null) {
    throw new OperationalError({
      code: 'STALE_STATE',
      message: `${action.model} cannot be started any more: its entry or its image is gone.`,
      retryable: true,
    });
  }
  const generation = await context.registry.nextGeneration();
  const nowMs = context.clock.nowMs();
  const footprints = context.book.ofLaunch({ model: model.name, signature, imageId, gpuCount: model.gpus });
  const endpoint: StartingEndpoint = {
    state: 'starting',
    generation,
    model: model.name,
    signature,
    imageId,
    hasCounter: model.engine === 'vllm',
    containerName: containerNameOf(context.installationId, model.name, generation),
    handle: null,
    allocations: action.allocations,
    servedNames: model.servedNames,
    createdAtMs: nowMs,
    kvCacheBytes: pinnedKvBytes(model, footprints),
    discovery: action.discovery,
    startedAtMs: null,
    phase: 'created',
    usedBefore: [],
    deadlineAtMs: nowMs + model.loadTimeoutMs,
  };
  const change: RegistryChange = { expect: [{ generation, state: null }], putEndpoints: [endpoint], removeClaims: [model.name] };
  await context.registry.commit(context.term, change);
  context.log.info({ model: model.name, generation, allocations: action.allocations, discovery: action.discovery }, 'endpoint reserved');
}

function find(observed: Observed, generation: Generation) {
  const endpoint = observed.state.endpoints.find((one) => one.generation === generation);
  if (endpoint === undefined)
    throw new OperationalError({ code: 'STALE_STATE', message: `Endpoint ${generation} is gone.`, retryable: true });
  return endpoint;
}
