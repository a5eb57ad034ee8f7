import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SimulatorError } from '../errors.ts';

/** A GPU of the simulated host. `memoryReservedMiB` is what driver and firmware keep, as `memory.reserved` shows it. */
export interface SimulatedGpu {
  uuid: string;
  name: string;
  index: number;
  memoryTotalMiB: number;
  memoryReservedMiB: number;
}

/** Faults of card and driver, set in `faults.json`. All default to "no fault". */
export interface CardFaults {
  /** nvidia-smi exits 9: the driver cannot be reached. */
  driverNotLoaded?: boolean;
  /** nvidia-smi exits 18: the driver was upgraded under a running kernel module. */
  libraryMismatch?: boolean;
  /** nvidia-smi exits 12: libnvidia-ml.so is not there. */
  libraryMissing?: boolean;
  /** nvidia-smi answers only after this time. */
  hangMs?: number;
  /** Fields of `--query-gpu` that read `[N/A]`, as memory.* do on GB10. */
  notAvailable?: string[];
  /** Per-process memory reads `[N/A]`, as under WSL2. */
  processMemoryNotAvailable?: boolean;
  /** No process is listed at all, as under WDDM. */
  processesHidden?: boolean;
  /** The memory of a dead process stays in use for this time, counted from when its death is first seen. */
  slowReleaseMs?: number;
}

const gpusFile = 'gpus.json';
const faultsFile = 'faults.json';
const modelsFile = 'models.json';

/**
 * Creates the state directory with the given GPUs, or replaces its GPUs. Open to every user: engines in containers need not be root.
 * Allocations of living processes stay as they are.
 */
export function writeGpus(stateDirectory: string, gpus: readonly SimulatedGpu[]): void {
  mkdirSync(stateDirectory, { recursive: true });
  chmodSync(stateDirectory, 0o777);
  writeJson(join(stateDirectory, gpusFile), gpus);
}

/** The GPUs of the host by index. Throws `STATE_MISSING` when the directory was never set up and `STATE_BROKEN` for broken JSON. */
export function readGpus(stateDirectory: string): SimulatedGpu[] {
  const gpus = readJson<SimulatedGpu[]>(join(stateDirectory, gpusFile));
  if (gpus === undefined) throw new SimulatorError('STATE_MISSING', `no simulated GPUs in ${stateDirectory}: ${gpusFile} is not there`);
  return gpus.toSorted((a, b) => a.index - b.index);
}

/** Replaces all faults of card and driver; `{}` clears them. */
export function writeFaults(stateDirectory: string, faults: CardFaults): void {
  writeJson(join(stateDirectory, faultsFile), faults);
}

/** The faults in force; none when the file is not there. */
export function readFaults(stateDirectory: string): CardFaults {
  return readJson<CardFaults>(join(stateDirectory, faultsFile)) ?? {};
}

/** Replaces the settings of models, keyed by the name on the engine's command line, a served name, or `*`. */
export function writeModels(stateDirectory: string, models: Readonly<Record<string, object>>): void {
  writeJson(join(stateDirectory, modelsFile), models);
}

/** The settings of models; none when the file is not there. */
export function readModels(stateDirectory: string): Record<string, Record<string, unknown>> {
  return readJson<Record<string, Record<string, unknown>>>(join(stateDirectory, modelsFile)) ?? {};
}

/** Renamed into place, so that a reader in another process never sees half a file. */
export function writeJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(temporary, path);
}

function readJson<Value>(path: string): Value | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Value;
  } catch (cause) {
    throw new SimulatorError('STATE_BROKEN', `${path} is not valid JSON`, { cause });
  }
}
