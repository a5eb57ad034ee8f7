import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import type { ModelSettings } from '../engine/model-profile.ts';
import { createSimulatedHost } from '../simulated-host.ts';
import type { GpuDescription, SimulatedHost } from '../simulated-host.ts';

/** A phase of every kind in a moment: tests await what happens, not how long it takes. */
export const quick: ModelSettings = {
  importMs: 1,
  engineImportMs: 1,
  deviceMs: 1,
  weightsMs: 1,
  profileMs: 1,
  compileMs: 1,
  captureMs: 1,
  serverMs: 1,
  timeToFirstTokenMs: 1,
  tokenDelayMs: 1,
  exitMs: 1,
  orphanMs: 1,
};

/** A small model in round numbers: 1000 + 2000 + 100 MiB and 1 MiB of KV cache for 16 tokens. */
export const small: ModelSettings = {
  ...quick,
  contextMiB: 100,
  weightsMiB: 1000,
  activationMiB: 800,
  graphsMiB: 50,
  kvBytesPerToken: 65_536,
  maxModelLen: 8192,
};

export interface TemporaryHost extends SimulatedHost, Disposable {
  readonly directory: string;
}

/** A simulated host in a directory of its own that goes away with it. */
export function createTemporaryHost(
  gpus: readonly GpuDescription[],
  models: Readonly<Record<string, ModelSettings>> = { '*': small },
): TemporaryHost {
  const directory = mkdtempSync(join(tmpdir(), 'berth-sim-'));
  const host = createSimulatedHost(directory, gpus, models);
  return { ...host, directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Waits for a condition, with a deadline that a busy machine keeps. */
export async function eventually(check: () => unknown): Promise<void> {
  await vi.waitFor(check, { timeout: 20_000, interval: 20 });
}

export const oneGpu: GpuDescription[] = [{ memoryTotalMiB: 10_240, memoryReservedMiB: 240 }];
