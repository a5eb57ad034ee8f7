import type { GpuLedger, GpuReading, GpuView, HostView, Snapshot } from '@berth/core';
import { buildLedger } from '@berth/core';
import type { TermContext } from '../term/term-context.ts';
import type { Observed } from './observe.ts';

/** The ledger of this host as people and `/admin/v1/state` see it. */
export function buildHostView(context: TermContext, observed: Observed, snapshot: Snapshot): HostView {
  const ledgers = buildLedger(snapshot);
  // A host whose models all run on the CPU misses nothing without nvidia-smi.
  const needsGpus = context.catalog.models.some((model) => model.gpus > 0);
  return {
    updatedAtMs: observed.state.nowMs,
    readingsAvailable: context.gpus.available || !needsGpus,
    problems: [needsGpus ? context.gpus.problem : null, context.outage.problem, ...context.problems()]
      .filter((problem) => problem !== null)
      .map(({ code, message }) => ({ code, message })),
    gpus: (context.gpus.latest?.gpus ?? []).map((gpu) => viewOf(context, observed, gpu, ledgers.get(gpu.uuid))),
  };
}

function viewOf(context: TermContext, observed: Observed, gpu: GpuReading, ledger: GpuLedger | undefined): GpuView {
  const ours = new Set([...observed.processIds.values()].flat());
  const foreign = (context.gpus.latest?.processes ?? []).filter((process) => process.gpuUuid === gpu.uuid && !ours.has(process.pid));
  return {
    uuid: gpu.uuid,
    index: gpu.index,
    product: gpu.product,
    totalMiB: gpu.totalMiB,
    budgetMiB: ledger?.budgetMiB ?? null,
    usedMiB: gpu.usedMiB,
    foreignMiB: ledger?.foreignMiB ?? null,
    freeMiB: gpu.freeMiB,
    reservedMiB: ledger?.reservedMiB ?? 0,
    claimedMiB: ledger?.claimExcessMiB ?? 0,
    endpointsMiB: ledger === undefined ? 0 : ledger.chargedMiB - ledger.reservedMiB,
    foreignProcesses: foreign.map(({ pid, name, usedMiB }) => ({ pid, name, usedMiB })),
  };
}
