import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '@berth/core';
import type { EdgeSession, Endpoint, ModelName, PlacementRight, RequestSlot } from '@berth/core';
import type { EdgeLogger } from '../telemetry/edge-logger.ts';
import { beginOrAcquire } from './begin-or-acquire.ts';
import { discreet, isOnItsWay, progressOf } from './model-progress.ts';
import type { ModelProgress } from './model-progress.ts';
import type { PlacementView, PlacementWatch } from './placement-watch.ts';
import type { LetInGate, Turn } from './let-in-gate.ts';
import { retryAfterOf } from './retry-after.ts';
import type { SharedPlacements } from './shared-placements.ts';
import type { WaitTiming } from './wait-timing.ts';
import type { WishList } from './wish-list.ts';

/** What a client is told when its wait is over is not older than this. */
const TOLD_FROM_MS = 100;
/** A request that may be sent is held up no longer than this for what its client is told of the start. */
const LONGEST_NOTE_MS = 250;
/** `Retry-After` of a model that is ready. */
const READY_RETRY_AFTER_MS = 1000;
/** Between a placement that ended and the next try, when no lease came of it. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

export interface EndpointWait {
  readonly model: ModelName;
  /** What the wait may cause: a start, or an eviction too. */
  readonly right: Exclude<PlacementRight, 'use'>;
  /** Whether a model exists for whoever waits. */
  readonly mayUse: (model: ModelName) => boolean;
  /** Epoch ms. */
  readonly arrivedAtMs: number;
  readonly deadlineAtMs: number;
  /** Aborts when the client leaves: the wait is forgotten, and no wish is left. */
  readonly left: AbortSignal;
  /** Told of the start that it waits for. */
  readonly timing: Pick<WaitTiming, 'sawStart' | 'starting'>;
}

/** What a wait ended with. The caller ends both. */
export interface EndpointWaited {
  /** A request counted in flight. */
  readonly slot: RequestSlot;
  /** Its place among those who are let in; `null` where it did not have to queue. */
  readonly turn: Turn | null;
}

export interface EndpointWaitsParts {
  readonly session: EdgeSession;
  readonly placements: SharedPlacements;
  readonly watch: PlacementWatch;
  readonly wishes: WishList;
  readonly gate: LetInGate;
  readonly logger: EdgeLogger;
  readonly nowMs: () => number;
}

/** A wait ends early because its deadline came, because it is known to come too early, or because this edge goes. */
class WaitOver extends Error {
  override readonly name = 'WaitOver';
}

/** The cold path: waits, together with everybody else, until an endpoint of a model may be sent to. */
export class EndpointWaits {
  readonly #parts: EndpointWaitsParts;
  readonly #under = new Set<AbortController>();
  #ended = false;

  constructor(parts: EndpointWaitsParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with a request counted in flight, once those who waited before it have been let in. Throws at the deadline, or as soon as the learned time left
   * outlasts it: `MODEL_LOADING`, `NO_CAPACITY_NOW` or `ORCHESTRATOR_UNAVAILABLE`, each with `retryAfterMs` and a wish left behind; throws
   * the placement's own failure, `QUEUE_FULL`, `REDIS_UNAVAILABLE`, and the reason of `left` when it aborts.
   */
  async wait(wait: EndpointWait): Promise<EndpointWaited> {
    const { session, watch, nowMs } = this.#parts;
    const { model } = wait;
    const over = new AbortController();
    this.#under.add(over);
    const leave = (): void => over.abort(wait.left.reason);
    if (wait.left.aborted) leave();
    if (this.#ended) over.abort(new WaitOver());
    wait.left.addEventListener('abort', leave, { once: true });
    const deadline = setTimeout(() => over.abort(new WaitOver()), Math.max(0, wait.deadlineAtMs - nowMs()));
    const unfollow = watch.follow((view) => {
      const progress = progressOf(view, model, { waiting: true });
      if (progress.endpoint?.state === 'starting') wait.timing.starting(ageOfStart(view, progress.endpoint));
      if (progress.etaMs !== null && nowMs() + progress.etaMs > wait.deadlineAtMs) over.abort(new WaitOver());
    });
    try {
      const leased = await beginOrAcquire(session, model);
      const waited = leased === null ? await this.#queue(wait, over.signal) : { slot: leased, turn: null };
      if (leased === null && !wait.timing.sawStart) {
        const tooLong = sleep(LONGEST_NOTE_MS, undefined, { signal: over.signal }).catch(() => undefined);
        await Promise.race([this.#noteStart(wait, waited.slot), tooLong]);
      }
      this.#parts.wishes.fulfilled(model);
      return waited;
    } catch (error) {
      if (!(error instanceof WaitOver)) throw error;
      throw session.failingSinceMs === null ? await this.#comeBack(wait) : redisAway();
    } finally {
      this.#under.delete(over);
      unfollow();
      clearTimeout(deadline);
      wait.left.removeEventListener('abort', leave);
    }
  }

  /** A load may pass between two readings of the registry, which tells afterwards when it began. */
  async #noteStart(wait: EndpointWait, { endpoint }: RequestSlot): Promise<void> {
    const view = await this.#parts.watch.read({ maxAgeMs: TOLD_FROM_MS }).catch(() => null);
    const started = view?.registry.endpoints.find(({ generation }) => generation === endpoint.generation);
    if (view === null || started === undefined) return;
    const agoMs = ageOfStart(view, started);
    // One that is older was only called back from a drain.
    if (this.#parts.nowMs() - agoMs >= wait.arrivedAtMs) wait.timing.starting(agoMs);
  }

  /** Ends all waits, also those to come, as if their deadlines had come: everybody is told to come back, and their wishes keep the placements going. */
  endAll(): void {
    this.#ended = true;
    for (const over of this.#under) over.abort(new WaitOver());
  }

  async #queue(wait: EndpointWait, over: AbortSignal): Promise<EndpointWaited> {
    const { session, placements } = this.#parts;
    const { model, right, arrivedAtMs, deadlineAtMs } = wait;
    over.throwIfAborted();
    const ticket = await session.join({ model, right, arrivedAtMs, deadlineAtMs });
    try {
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        over.throwIfAborted();
        const outcome = await placements.place(model, over);
        const waited = outcome.kind === 'ready' ? await this.#letIn(model, over) : null;
        over.throwIfAborted();
        if (waited !== null) return waited;
        // Drained again, or lost between two answers: the next placement tells.
        await sleep(pauseMs, undefined, { signal: over }).catch(() => undefined);
      }
    } finally {
      ticket.leave();
    }
  }

  /** `null` when there is nothing to be let in to any more, or the wait is over. */
  async #letIn(model: ModelName, over: AbortSignal): Promise<EndpointWaited | null> {
    const turn = await this.#parts.gate.enter(model, over);
    const slot = await beginOrAcquire(this.#parts.session, model).catch((error: unknown) => {
      turn.leave();
      throw error;
    });
    if (slot !== null && !over.aborted) return { slot, turn };
    turn.leave();
    slot?.end();
    return null;
  }

  /** What a client is told whose wait is over, after its wish was left. */
  async #comeBack(wait: EndpointWait): Promise<OperationalError> {
    const { watch, wishes, logger, nowMs } = this.#parts;
    const waitedMs = nowMs() - wait.arrivedAtMs;
    const view = await watch.read({ maxAgeMs: TOLD_FROM_MS }).catch(() => watch.latest);
    const failure = comeBackFailure(view, wait, waitedMs);
    await wishes
      .leave(wait, failure.retryAfterMs ?? retryAfterOf(null))
      .catch((error: unknown) => logger.warn({ model: wait.model, err: error }, 'wish lost'));
    return failure;
  }
}

function comeBackFailure(view: PlacementView | null, wait: EndpointWait, waitedMs: number): OperationalError {
  const { model } = wait;
  const waited = Math.round(waitedMs / 1000);
  const progress = view === null ? null : discreet(progressOf(view, model, { waiting: true }), wait.mayUse);
  const learnedMs = progress?.etaMs ?? null;
  const retryAfterMs = retryAfterOf(learnedMs);
  const details = { model, waitMs: Math.round(waitedMs), etaMs: learnedMs, phase: progress?.phase ?? null };
  if (progress?.state === 'ready') {
    return new OperationalError({
      code: 'MODEL_LOADING',
      message: `${model} has become ready, and those who waited for it longer go first. Ask again after Retry-After.`,
      retryable: true,
      retryAfterMs: READY_RETRY_AFTER_MS,
      details,
    });
  }
  if (progress !== null && isOnItsWay(progress) && view?.leader !== null) {
    const left = learnedMs === null ? 'an unknown time' : `about ${Math.ceil(learnedMs / 1000)} s`;
    return new OperationalError({
      code: 'MODEL_LOADING',
      message: `${model} is loading (${progress.phase ?? 'queued'}) and needs ${left} more. Ask again after Retry-After.`,
      retryable: true,
      retryAfterMs,
      details,
    });
  }
  if (view !== null && view.leader === null) {
    return new OperationalError({
      code: 'ORCHESTRATOR_UNAVAILABLE',
      message: `${model} could not be placed within ${waited} s: no orchestrator is running. Start one; the wish for the model is kept for it.`,
      retryable: true,
      retryAfterMs,
      details,
    });
  }
  const why = wait.right === 'place' ? ', and this key may not stop models to make room (it lacks the right `displace`)' : '';
  return new OperationalError({
    code: 'NO_CAPACITY_NOW',
    message: `${model} could not be placed within ${waited} s: ${progress === null ? 'how it goes on is not known' : inTheWayOf(progress)}${why}. Its place in the queue is kept; ask again after Retry-After.`,
    retryable: true,
    retryAfterMs,
    details,
  });
}

/** How long ago a start was decided, in ms: the registry's clock is not this edge's. */
function ageOfStart({ registry, readAtMs }: PlacementView, { createdAtMs }: Endpoint): number {
  return registry.nowMs - createdAtMs + (performance.now() - readAtMs);
}

/** Why a placement cannot go on now, as a clause. */
function inTheWayOf({ phase, victims, waitingFor }: ModelProgress): string {
  if (phase === 'draining') return `${victims.length === 0 ? 'other models' : victims.join(', ')} must end first, to make room`;
  switch (waitingFor) {
    case 'start-slot':
      return 'another model is starting on its GPU';
    case 'older-placement':
      return 'models that were asked for earlier go first';
    case 'residency':
      return 'the models that would make room became ready only just now';
    case 'gpu-readings':
      return 'the memory of its GPUs cannot be read';
    case 'memory':
    case 'right':
    case null:
      return 'other models use the memory it needs';
  }
}

function redisAway(): OperationalError {
  return new OperationalError({
    code: 'REDIS_UNAVAILABLE',
    message: 'Redis does not answer, so no model can be placed. Models that are ready go on; ask again after Retry-After.',
    retryable: true,
  });
}
