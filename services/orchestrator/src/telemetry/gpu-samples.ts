import type { GpuView } from '@berth/core';
import type { Sample } from '@berth/telemetry';

const BYTES_PER_MIB = 1024 * 1024;

/** The ledger of one GPU in bytes. What is unknown has no sample: it is not 0. */
export function gpuSamples(view: GpuView): readonly Sample[] {
  const kinds: Readonly<Record<string, number | null>> = {
    total: view.totalMiB,
    budget: view.budgetMiB,
    used: view.usedMiB,
    free: view.freeMiB,
    foreign: view.foreignMiB,
    endpoints: view.endpointsMiB,
    reserved: view.reservedMiB,
    claimed: view.claimedMiB,
  };
  return Object.entries(kinds).flatMap(([kind, mib]) =>
    mib === null ? [] : [{ labels: { gpu: view.uuid, index: view.index, kind }, value: mib * BYTES_PER_MIB }],
  );
}
