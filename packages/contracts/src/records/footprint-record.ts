import type { Footprint, InstallationId } from '@berth/core';
import { z } from 'zod';
import { count, idField, instantMs } from './fields.ts';
import { defineRecord } from './versioned.ts';

const footprintSchema: z.ZodType<Footprint> = z.object({
  model: idField<Footprint['model']>(),
  signature: idField<Footprint['signature']>(),
  imageId: z.string(),
  gpuProduct: z.string(),
  gpuCount: count,
  vramMiB: z.number().nullable(),
  source: z.enum(['discovered', 'refined', 'raised-after-oom', 'imported']),
  samples: z.array(z.object({ measuredMiB: z.array(z.number()), atMs: instantMs })),
  loads: z.array(z.object({ totalMs: z.number(), byPhaseMs: z.record(z.string(), z.number()), atMs: instantMs })),
  kvCacheBytes: z.number().nullable(),
  estimatedMaxModelLen: z.number().nullable().exactOptional(),
  breakdownMiB: z.record(z.string(), z.number()),
  learnedAtMs: instantMs,
});

export const footprintRecord = defineRecord<Footprint>('footprint', 1, footprintSchema);

/** `memory_footprints.json` as a whole. */
export const footprintsFileRecord = defineRecord<{ readonly footprints: readonly Footprint[] }>(
  'footprints file',
  1,
  z.object({ footprints: z.array(footprintSchema) }),
);

/** `installation.json`, beside the footprints file. */
export const installationFileRecord = defineRecord<{ readonly installationId: InstallationId; readonly createdAtMs: number }>(
  'installation file',
  1,
  z.object({ installationId: idField<InstallationId>(), createdAtMs: instantMs }),
);
