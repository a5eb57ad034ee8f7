import { openCardStore } from './card-store.ts';
import { usedMiB } from './card-process.ts';
import { readGpus } from './state-directory.ts';
import type { SimulatedGpu } from './state-directory.ts';
import type { RegisteredProcess } from './visible-processes.ts';

/** A process on the cards, living or gone. `peakMiB` is the most it held at once, per GPU UUID. */
export interface CardProcessState extends RegisteredProcess {
  name: string;
  label: string;
  state: 'alive' | 'dead' | 'gone';
  usedMiB: Record<string, number>;
  peakMiB: Record<string, number>;
}

export interface CardState {
  gpus: (SimulatedGpu & { usedMiB: number; freeMiB: number; peakUsedMiB: number })[];
  processes: CardProcessState[];
}

/** One consistent view of all cards. `dead` processes still hold memory (slow release), `gone` ones are history, oldest first. */
export function readCard(stateDirectory: string): CardState {
  const gpus = readGpus(stateDirectory);
  using store = openCardStore(stateDirectory);
  return store.transact((database) => {
    const allocations = database.prepare('SELECT * FROM allocation').all();
    const peaks = database.prepare('SELECT * FROM card_peak').all();
    const perGpu = (id: string, column: string): Record<string, number> =>
      Object.fromEntries(
        allocations.filter((row) => row['process_id'] === id).map((row) => [String(row['gpu_uuid']), Number(row[column])]),
      );
    return {
      gpus: gpus.map((gpu) => {
        const used = usedMiB(database, gpu.uuid);
        const peakUsedMiB = Number(peaks.find((row) => row['gpu_uuid'] === gpu.uuid)?.['used_mib'] ?? 0);
        return { ...gpu, usedMiB: used, freeMiB: gpu.memoryTotalMiB - gpu.memoryReservedMiB - used, peakUsedMiB };
      }),
      processes: database
        .prepare('SELECT * FROM process ORDER BY rowid')
        .all()
        .map((row) => ({
          containerId: row['container_id'] === null ? null : String(row['container_id']),
          pid: Number(row['pid']),
          pidNamespace: String(row['pid_namespace']),
          startTicks: String(row['start_ticks']),
          name: String(row['name']),
          label: String(row['label']),
          state: row['gone'] === 1 ? 'gone' : row['died_at_ms'] === null ? 'alive' : 'dead',
          usedMiB: perGpu(String(row['id']), 'used_mib'),
          peakMiB: perGpu(String(row['id']), 'peak_mib'),
        })),
    };
  });
}
