import type { StepOutcome } from '@berth/core';
import { createEndpointRegistry, createLeadership, createPlacementWorker } from '@berth/redis';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DrainDriver } from './drain-driver.ts';
import { EngineCommands } from './engine-commands.ts';
import { readProcessSettings } from './settings.ts';
import { reportTally } from './tally.ts';

/** An orchestrator of a fault run: real leadership, worker and registry around the drain driver. */
const settings = readProcessSettings();
const target = { url: settings.redisUrl, hostId: settings.hostId, log: () => undefined };
const engines = new EngineCommands(settings.enginesUrl);
const registry = createEndpointRegistry({ target, leaseTtlMs: settings.leaseTtlMs, leaseQuietMs: 500 });
const worker = createPlacementWorker({ target, lockMs: 5000, stalledMs: 2000 });
const leadership = createLeadership({ target, id: randomUUID(), ...settings.leader });
const tally = reportTally();

await leadership.run(async (term) => {
  const { slots, drainTimeoutMs, careless } = settings;
  const driver = new DrainDriver({ registry, engines, term, slots, drainTimeoutMs, careless, tally });
  await driver.reconcile();
  const tending = (async () => {
    while (!term.signal.aborted) {
      await worker.ensureTending().catch(() => undefined);
      await sleep(1000, undefined, { signal: term.signal }).catch(() => undefined);
    }
  })();
  await worker.run(term, async (job): Promise<StepOutcome> => {
    if (job.kind === 'place') return driver.place(job.model);
    await driver.reconcile();
    return { kind: 'abandoned' };
  });
  await tending;
}, new AbortController().signal);
