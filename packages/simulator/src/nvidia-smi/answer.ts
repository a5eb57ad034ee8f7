import { createPidTranslator } from '../card/visible-processes.ts';
import { readCard } from '../card/read-card.ts';
import type { CardFaults } from '../card/state-directory.ts';
import type { AttachedCard } from '../card/attach-card.ts';
import type { SmiRequest } from './arguments.ts';
import { renderCsv } from './csv.ts';
import type { Column } from './csv.ts';
import { noDevices } from './failures.ts';
import type { SmiAnswer } from './failures.ts';
import type { AppRow, GpuRow } from './rows.ts';
import { renderSummary } from './summary.ts';

export const driverVersion = '580.82.07';

/** Answers a request from the cards' state. Processes that the caller's PID namespace does not show are dropped without a word. */
export function answerSmi(request: SmiRequest, card: AttachedCard, faults: CardFaults): SmiAnswer {
  const shown = card.gpus.filter((gpu) => request.ids?.some((id) => id === gpu.uuid || id === String(gpu.index)) ?? true);
  if (shown.length === 0) return noDevices;
  const state = readCard(card.stateDirectory);
  const gpus = shown.map((gpu): GpuRow => {
    const { usedMiB = 0, freeMiB = 0 } = state.gpus.find((candidate) => candidate.uuid === gpu.uuid) ?? {};
    return { ...gpu, usedMiB, freeMiB };
  });
  if (request.kind === 'list') {
    return { exitCode: 0, stdout: gpus.map((gpu) => `GPU ${gpu.index}: ${gpu.name} (UUID: ${gpu.uuid})\n`).join('') };
  }
  if (request.kind === 'query-gpu') return renderCsv(gpuColumns(faults), gpus, request);
  const translate = createPidTranslator();
  const apps = state.processes.flatMap((owner) => {
    const pid = faults.processesHidden === true || owner.state !== 'alive' ? undefined : translate(owner);
    if (pid === undefined) return [];
    return gpus
      .filter((gpu) => (owner.usedMiB[gpu.uuid] ?? 0) > 0)
      .map((gpu): AppRow => ({ gpuUuid: gpu.uuid, gpuIndex: gpu.index, pid, name: owner.name, usedMiB: owner.usedMiB[gpu.uuid] ?? 0 }));
  });
  if (request.kind === 'query-compute-apps') return renderCsv(appColumns(faults), apps, request);
  return renderSummary(gpus, apps);
}

function gpuColumns(faults: CardFaults): Record<string, Column<GpuRow>> {
  const columns: Record<string, Column<GpuRow>> = {
    index: { header: 'index', value: (gpu) => gpu.index },
    uuid: { header: 'uuid', value: (gpu) => gpu.uuid },
    gpu_uuid: { header: 'uuid', value: (gpu) => gpu.uuid },
    name: { header: 'name', value: (gpu) => gpu.name },
    gpu_name: { header: 'name', value: (gpu) => gpu.name },
    'memory.total': { header: 'memory.total', unit: 'MiB', value: (gpu) => gpu.memoryTotalMiB },
    'memory.reserved': { header: 'memory.reserved', unit: 'MiB', value: (gpu) => gpu.memoryReservedMiB },
    'memory.used': { header: 'memory.used', unit: 'MiB', value: (gpu) => gpu.usedMiB },
    'memory.free': { header: 'memory.free', unit: 'MiB', value: (gpu) => gpu.freeMiB },
    'mig.mode.current': { header: 'mig.mode.current', value: () => '[N/A]' },
    driver_version: { header: 'driver_version', value: () => driverVersion },
    'pci.bus_id': { header: 'pci.bus_id', value: (gpu) => `00000000:${(gpu.index + 1).toString(16).padStart(2, '0').toUpperCase()}:00.0` },
    compute_cap: { header: 'compute_cap', value: () => '9.0' },
    'utilization.gpu': { header: 'utilization.gpu', unit: '%', value: () => 0 },
    'temperature.gpu': { header: 'temperature.gpu', value: () => 30 },
  };
  for (const field of faults.notAvailable ?? []) {
    const column = columns[field];
    if (column !== undefined) columns[field] = { ...column, value: () => '[N/A]' };
  }
  return columns;
}

function appColumns(faults: CardFaults): Record<string, Column<AppRow>> {
  const used: Column<AppRow> = {
    header: 'used_gpu_memory',
    unit: 'MiB',
    value: (app) => (faults.processMemoryNotAvailable === true ? '[N/A]' : app.usedMiB),
  };
  return {
    gpu_uuid: { header: 'gpu_uuid', value: (app) => app.gpuUuid },
    pid: { header: 'pid', value: (app) => app.pid },
    process_name: { header: 'process_name', value: (app) => app.name },
    name: { header: 'process_name', value: (app) => app.name },
    used_memory: used,
    used_gpu_memory: used,
  };
}
