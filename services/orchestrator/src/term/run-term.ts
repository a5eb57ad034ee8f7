import type { EngineHandle, FootprintStore, PlacementJob, StepLog, StepOutcome, Term } from '@berth/core';
import { isOperationalError } from '@berth/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { FootprintBook } from '../learn/footprint-book.ts';
import { reconcile } from '../reconcile.ts';
import { MemoryNotes } from '../snapshot/memory-notes.ts';
import { placeStep } from '../steps/place-step.ts';
import { PlacementNotes } from '../steps/placement-notes.ts';
import { tendStep } from '../steps/tend-step.ts';
import { DrainWatches } from '../tasks/drain-watch.ts';
import { ExitNotices } from '../tasks/exit-notices.ts';
import { LoadWatches } from '../tasks/load-watch.ts';
import { OrphanStops } from '../tasks/orphan-stops.ts';
import { PullTasks } from '../tasks/pull-tasks.ts';
import { StopTasks } from '../tasks/stop-tasks.ts';
import { ImageIds } from './image-ids.ts';
import { preload } from './preload.ts';
import { RuntimeOutage } from './runtime-outage.ts';
import type { Host, TermContext } from './term-context.ts';
import { watchHost } from './watch-host.ts';

const RETRY_MS = 1_000;

/**
 * One term of leadership. Its first step repairs what an earlier leader left, then steps run one at a time until the term ends. Whatever it
 * opened is closed then; nothing of it is needed by the next one.
 */
export async function runTerm(host: Host, footprints: FootprintStore, term: Term): Promise<void> {
  host.log.info({ epoch: term.epoch }, 'leadership began');
  const context = await openTerm(host, footprints, term);
  const over = new AbortController();
  const signal = AbortSignal.any([term.signal, over.signal]);
  let beside: Promise<unknown> = Promise.resolve();
  host.metrics.termBegan(term.epoch);
  try {
    await host.gpus.readAtStart();
    await host.jobs.ensureTending();
    beside = Promise.all([watchHost(context, signal), watchExits(context, signal)]);
    await host.jobs.run(term, host.metrics.timed(stepOf(context)));
  } finally {
    // Also when jobs ended before the term did: another epoch rules, or the queue is away.
    over.abort();
    await beside;
    for (const tasks of [context.loads, context.drains, context.stops, context.pulls]) tasks[Symbol.dispose]();
    host.metrics.termEnded();
    host.log.info({ epoch: term.epoch }, 'leadership ended');
  }
}

/** Repairing is the first step of the term and runs in the worker like any other, so that it is never beside a job. */
function stepOf(context: TermContext): (job: PlacementJob, log: StepLog) => Promise<StepOutcome> {
  let reconciled = false;
  return async (job, log) => {
    try {
      if (!reconciled) {
        await reconcile(context);
        await preload(context);
        reconciled = true;
      }
      const outcome = await (job.kind === 'place' ? placeStep(context, job.model, log) : tendStep(context));
      context.outage.end();
      return outcome;
    } catch (error) {
      if (!isOperationalError(error, 'DOCKER_UNAVAILABLE')) throw error;
      context.outage.begin(error.toShape());
      const failure = context.outage.failureForWaiters();
      if (job.kind === 'tend' || failure === null) throw error;
      return { kind: 'failed', failure };
    }
  };
}

async function openTerm(host: Host, footprints: FootprintStore, term: Term): Promise<TermContext> {
  const { runtime, engines, reach, registry, log, clock } = host;
  const now = () => clock.nowMs();
  const { protocol } = host.catalog;
  const book = await FootprintBook.open(footprints, term);
  const promote = (model: Parameters<Host['jobs']['promote']>[0]) => {
    void host.jobs.promote(model).catch((error: unknown) => log.debug({ err: error, model }, 'promotion failed'));
    void host.jobs.ensureTending().catch((error: unknown) => log.debug({ err: error }, 'tending could not be asked for'));
  };
  const promoteAll = () => {
    void host.jobs
      .openModels()
      .then((models) => models.forEach(promote))
      .catch((error: unknown) => log.debug({ err: error }, 'promotion failed'));
  };
  return {
    ...host,
    term,
    book,
    images: new ImageIds(runtime, now),
    loads: new LoadWatches({ runtime, engines, reach, log, now, onChange: (endpoint) => promote(endpoint.model) }),
    drains: new DrainWatches({
      registry,
      engines,
      reach,
      settings: protocol,
      now,
      log,
      onDrained: (endpoint) => promote(endpoint.claimedBy ?? endpoint.model),
    }),
    stops: new StopTasks({ runtime, graceMs: protocol.stop.graceMs, log, onExit: promoteAll }),
    pulls: new PullTasks({ runtime, now, log, onChange: promoteAll }),
    exits: new ExitNotices(),
    outage: new RuntimeOutage(now),
    orphans: new OrphanStops({ runtime, graceMs: protocol.stop.graceMs, log }),
    memory: new MemoryNotes(),
    lastDone: { orphansSoughtAtMs: 0, remeasuredAtMs: now() },
    triedRemedies: new Map(),
    placements: new PlacementNotes(),
    bugs: new Map(),
  };
}

/** Follows exits for as long as the term lasts; a runtime that is away is asked again. */
async function watchExits(context: TermContext, signal: AbortSignal): Promise<void> {
  const { runtime, log } = context;
  while (!signal.aborted) {
    try {
      await using _watch = await runtime.watchExits((handle) => noticeExit(context, handle));
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
    } catch (error) {
      // Exits are also found by looking, so that a bug here costs seconds and not the term.
      log[isOperationalError(error) ? 'warn' : 'error']({ err: error }, 'exits could not be watched');
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

function noticeExit(context: TermContext, handle: EngineHandle): void {
  context.exits.add(handle);
  void context.jobs.ensureTending().catch((error: unknown) => context.log.debug({ err: error }, 'tending could not be asked for'));
}
