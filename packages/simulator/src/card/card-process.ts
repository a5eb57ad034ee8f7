import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { openCardStore } from './card-store.ts';
import { holdProcessLock } from './process-lock.ts';
import { readGpus } from './state-directory.ts';
import { SimulatorError } from '../errors.ts';
import { ownPidNamespace, ownStartTicks } from './process-identity.ts';

/** Who allocates. `name` is what nvidia-smi lists as process_name; `label` is free text for tests, such as the model. */
export interface CardProcessOptions {
  stateDirectory: string;
  containerId: string | null;
  name: string;
  label: string;
  slowReleaseMs: number;
}

export type AllocationResult = { kind: 'allocated' } | { kind: 'out-of-memory'; freeMiB: number; heldMiB: number; totalMiB: number };

/** Memory of a card as `cudaMemGetInfo` tells it: the total excludes what the driver reserves. */
export interface MemoryInfo {
  totalMiB: number;
  freeMiB: number;
}

/** A process on the simulated cards. Its memory is its own until it frees it, closes or dies, however it dies. */
export interface CardProcess {
  /** Takes memory or refuses, atomically against every other process on the card, in this container or another. */
  allocate(gpuUuid: string, mib: number): AllocationResult;
  /** Gives memory back, at most what is held. */
  free(gpuUuid: string, mib: number): void;
  memoryInfo(gpuUuid: string): MemoryInfo;
  /** Ends the process on the card: its memory goes like that of a dead one. */
  close(): void;
}

/** Registers this process on the cards of a state directory. Throws `STATE_MISSING` when there are none. */
export function openCardProcess(options: CardProcessOptions): CardProcess {
  const { stateDirectory } = options;
  const gpus = readGpus(stateDirectory);
  const id = randomBytes(8).toString('hex');
  const lock = holdProcessLock(stateDirectory, id);
  const store = openCardStore(stateDirectory, id);
  store.transact((database) => insertProcess(database, id, options));
  const usable = (gpuUuid: string): number => {
    const gpu = gpus.find((candidate) => candidate.uuid === gpuUuid);
    if (gpu === undefined) throw new SimulatorError('GPU_UNKNOWN', `the simulated host has no GPU ${gpuUuid}`);
    return gpu.memoryTotalMiB - gpu.memoryReservedMiB;
  };
  return {
    allocate: (gpuUuid, mib) => store.transact((database) => allocate(database, { id, gpuUuid, mib, totalMiB: usable(gpuUuid) })),
    free: (gpuUuid, mib) =>
      store.transact((database) => {
        const statement = 'UPDATE allocation SET used_mib = MAX(0, used_mib - ?) WHERE process_id = ? AND gpu_uuid = ?';
        database.prepare(statement).run(mib, id, gpuUuid);
      }),
    memoryInfo: (gpuUuid) => {
      const totalMiB = usable(gpuUuid);
      return { totalMiB, freeMiB: totalMiB - store.transact((database) => usedMiB(database, gpuUuid)) };
    },
    close: () => {
      lock.release();
      store[Symbol.dispose]();
    },
  };
}

/** MiB in use on a GPU by everybody, the dead whose memory is not back yet included. */
export function usedMiB(database: DatabaseSync, gpuUuid: string): number {
  const row = database.prepare('SELECT COALESCE(SUM(used_mib), 0) AS used FROM allocation WHERE gpu_uuid = ?').get(gpuUuid);
  return Number(row?.['used'] ?? 0);
}

function allocate(database: DatabaseSync, request: { id: string; gpuUuid: string; mib: number; totalMiB: number }): AllocationResult {
  const { id, gpuUuid, mib, totalMiB } = request;
  const used = usedMiB(database, gpuUuid);
  const own = database.prepare('SELECT used_mib FROM allocation WHERE process_id = ? AND gpu_uuid = ?').get(id, gpuUuid);
  const heldMiB = Number(own?.['used_mib'] ?? 0);
  if (used + mib > totalMiB) return { kind: 'out-of-memory', freeMiB: totalMiB - used, heldMiB, totalMiB };
  const held = heldMiB + mib;
  database
    .prepare(
      `INSERT INTO allocation VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET used_mib = excluded.used_mib, peak_mib = MAX(peak_mib, excluded.used_mib)`,
    )
    .run(id, gpuUuid, held, held);
  database
    .prepare('INSERT INTO card_peak VALUES (?, ?) ON CONFLICT DO UPDATE SET used_mib = MAX(used_mib, excluded.used_mib)')
    .run(gpuUuid, used + mib);
  return { kind: 'allocated' };
}

function insertProcess(database: DatabaseSync, id: string, options: CardProcessOptions): void {
  database
    .prepare('INSERT INTO process VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)')
    .run(
      id,
      options.containerId,
      process.pid,
      ownPidNamespace(),
      ownStartTicks(),
      options.name,
      options.label,
      options.slowReleaseMs,
      Date.now(),
    );
}
