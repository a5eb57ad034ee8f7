import type { EngineHandle, FootprintStore, Term } from '@berth/core';
import { OperationalError, isOperationalError } from '@berth/core';
import { setTimeout as sleep } from 'node:timers/promises';
import { FootprintBook } from '../learn/footprint-book.ts';
import { reconcile } from '../reconcile.ts';
import { placeStep } from '../steps/place-step.ts';
import { tendStep } from '../steps/tend-step.ts';
import { DrainWatches } from '../tasks/drain-watch.ts';
import { ExitNotices } from '../tasks/exit-notices.ts';
import { LoadWatches } from '../tasks/load-watch.ts';
import { PullTasks } from '../tasks/pull-tasks.ts';
import { StopTasks } from '../tasks/stop-tasks.ts';
import { ImageIds } from './image-ids.ts';
import { preload } from './preload.ts';
import type { Host, TermContext } from './term-context.ts';
import { watchHost } from './watch-host.ts';

const RETRY_MS = 1_000;

/**
 * One term of leadership from its first repair to its end: reconcile, then steps, one at a time. Whatever it opened is closed when the term
 * ends; nothing of it is needed by the next one.
 */
export async function runTerm(host: Host, footprints: FootprintStore, term: Term): Promise<void> {
  host.log.info({ epoch: term.epoch }, 'leadership began');
  const context = await openTerm(host, footprints, term);
  try {
    await host.gpus.readAtStart();
    await untilDone(context, () => reconcile(context));
    await preload(context);
    await using _exits = await untilDone(context, () => host.runtime.watchExits((handle) => noticeExit(context, handle)));
    const watching = watchHost(context);
    await host.jobs.run(term, async (job, log) => (job.kind === 'place' ? placeStep(context, job.model, log) : tendStep(context)));
    await watching;
  } finally {
    for (const tasks of [context.loads, context.drains, context.stops, context.pulls]) tasks[Symbol.dispose]();
    host.log.info({ epoch: term.epoch }, 'leadership ended');
  }
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
    orphansSought: { atMs: 0 },
    settledForeignMiB: new Map(),
    triedRemedies: new Map(),
    lastPlanRows: new Map(),
  };
}

function noticeExit(context: TermContext, handle: EngineHandle): void {
  context.exits.add(handle);
  void context.jobs.ensureTending().catch((error: unknown) => context.log.debug({ err: error }, 'tending could not be asked for'));
}

/** A dependency that is away at the beginning of a term delays it; leadership that ends meanwhile ends the wait. */
async function untilDone<Result>(context: TermContext, action: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!isOperationalError(error, 'DOCKER_UNAVAILABLE', 'REDIS_UNAVAILABLE', 'GPU_PROBE_FAILED', 'STALE_STATE')) throw error;
      context.log.error({ err: error }, 'term could not begin yet');
      await sleep(RETRY_MS, undefined, { signal: context.term.signal }).catch(() => undefined);
      if (context.term.signal.aborted) {
        throw new OperationalError({
          code: 'LEADERSHIP_LOST',
          message: 'Leadership ended before the term could begin.',
          retryable: true,
          cause: error,
        });
      }
    }
  }
}
