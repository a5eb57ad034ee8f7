import type { LaunchSignature, ModelName } from '../ids.ts';

/** What a footprint was learned for. Any part that differs is another footprint. */
export interface FootprintKey {
  readonly model: ModelName;
  readonly signature: LaunchSignature;
  /** Id of the pulled image; under the `process` runtime path, size and time of the program stand in for it. */
  readonly imageId: string;
  readonly gpuProduct: string;
  /** 0 for a model that runs on the CPU: of it only load times are learned. */
  readonly gpuCount: number;
}

/** Stands in for the GPU product of a model that runs on the CPU. */
export const CPU_PRODUCT = 'CPU';

/** `raised-after-oom` is a lower bound learned from a failed start; the others were measured on a running engine. */
export type FootprintSource = 'discovered' | 'refined' | 'raised-after-oom' | 'imported';

export interface FootprintSample {
  /** Peak per GPU, in the order of the engine's ranks where known, without margin. */
  readonly measuredMiB: readonly number[];
  readonly atMs: number;
}

export interface LoadTimes {
  /** From container start to ready. */
  readonly totalMs: number;
  /** By `LOAD_PHASES` of the engine knowledge and `probing`; empty for a load that was not watched from its beginning. */
  readonly byPhaseMs: Readonly<Record<string, number>>;
  readonly atMs: number;
}

/** GPU memory that a model needs, as measured, margin included. */
export interface Footprint extends FootprintKey {
  /** Per GPU the engine runs on: the largest of its GPUs, margin included. `null`: never measured, only load times or `kvCacheBytes` are learned yet. */
  readonly vramMiB: number | null;
  readonly source: FootprintSource;
  readonly samples: readonly FootprintSample[];
  readonly loads: readonly LoadTimes[];
  /** KV cache per GPU that the engine asked for, when it is more than the catalog gives; not part of the signature. */
  readonly kvCacheBytes: number | null;
  /** The context that the engine said it could serve with the KV cache it was given, when that was too small for what was asked for. */
  readonly estimatedMaxModelLen?: number | null;
  /** From the engine's log, where it says. */
  readonly breakdownMiB: Readonly<Record<string, number>>;
  readonly learnedAtMs: number;
}

/** max(256 MiB, 3 %): two starts of one configuration differ by allocator and driver noise. */
export function withMargin(measuredMiB: number): number {
  return Math.ceil(measuredMiB + Math.max(256, measuredMiB * 0.03));
}
