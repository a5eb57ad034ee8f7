import type { GpuUuid } from '../ids.ts';
import { buildLedger, type GpuLedger } from '../memory/ledger.ts';
import type { Snapshot } from './snapshot.ts';

const built = new WeakMap<Snapshot, ReadonlyMap<GpuUuid, GpuLedger>>();

/** The ledger of a snapshot, built once: a snapshot never changes, and a plan for many GPUs asks hundreds of times. */
export function ledgerOf(snapshot: Snapshot): ReadonlyMap<GpuUuid, GpuLedger> {
  const known = built.get(snapshot);
  if (known !== undefined) return known;
  const ledger = buildLedger(snapshot);
  built.set(snapshot, ledger);
  return ledger;
}
