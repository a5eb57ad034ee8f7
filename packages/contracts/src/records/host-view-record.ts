import type { GpuView, HostView } from '@berth/core';
import { z } from 'zod';
import { instantMs } from './fields.ts';
import { defineRecord } from './versioned.ts';

const mib = z.number();

const gpuSchema: z.ZodType<GpuView> = z.object({
  uuid: z.string(),
  index: z.int(),
  product: z.string(),
  totalMiB: mib.nullable(),
  budgetMiB: mib.nullable(),
  usedMiB: mib.nullable(),
  foreignMiB: mib.nullable(),
  freeMiB: mib.nullable(),
  reservedMiB: mib,
  claimedMiB: mib,
  endpointsMiB: mib,
  foreignProcesses: z.array(z.object({ pid: z.int(), name: z.string(), usedMiB: mib.nullable() })),
});

const hostViewSchema: z.ZodType<HostView> = z.object({
  updatedAtMs: instantMs,
  readingsAvailable: z.boolean(),
  problems: z.array(z.object({ code: z.string(), message: z.string() })),
  gpus: z.array(gpuSchema),
});

/** What the leading orchestrator publishes of its host. */
export const hostViewRecord = defineRecord<HostView>('host view', 1, hostViewSchema);
