import type { Claim, PlacementStatus, Quarantine, StopRequest, Wish } from '@berth/core';
import { z } from 'zod';
import { allocationSchema, count, failureSchema, idField, instantMs, placementRightSchema, reasonSchema } from './fields.ts';
import { defineRecord } from './versioned.ts';

const claimSchema: z.ZodType<Claim> = z.object({
  model: idField<Claim['model']>(),
  allocations: z.array(allocationSchema),
  discovery: z.boolean(),
  victims: z.array(idField<Claim['victims'][number]>()),
  claimedAtMs: instantMs,
  drainingSinceMs: instantMs.nullable(),
});

const wishSchema: z.ZodType<Wish> = z.object({
  id: z.string().min(1),
  model: idField<Wish['model']>(),
  right: placementRightSchema,
  kind: z.enum(['waiter', 'operator', 'hint', 'preload']),
  arrivedAtMs: instantMs,
  endsAtMs: instantMs,
});

const quarantineSchema: z.ZodType<Quarantine> = z.object({
  model: idField<Quarantine['model']>(),
  failures: count,
  untilMs: instantMs,
  failure: failureSchema,
});

const statusSchema: z.ZodType<PlacementStatus> = z.object({
  model: idField<PlacementStatus['model']>(),
  stage: z.enum(['queued', 'pulling', 'waiting', 'draining', 'starting', 'done']),
  reasons: z.array(reasonSchema),
  updatedAtMs: instantMs,
  detail: z.string().nullable(),
  progress: z.number().nullable(),
  phaseProgress: z.number().nullable().default(null),
  etaMs: z.number().nullable(),
});

const stopRequestSchema: z.ZodType<StopRequest> = z.object({
  id: z.string().min(1),
  target: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('all') }),
    z.object({ kind: z.literal('model'), model: idField<Claim['model']>() }),
    z.object({ kind: z.literal('generation'), generation: idField<Claim['victims'][number]>() }),
  ]),
  force: z.boolean(),
  deadlineMs: z.number().nullable(),
  requestedAtMs: instantMs,
});

export const claimRecord = defineRecord<Claim>('claim', 1, claimSchema);
export const wishRecord = defineRecord<Wish>('wish', 1, wishSchema);
export const quarantineRecord = defineRecord<Quarantine>('quarantine', 1, quarantineSchema);
export const placementStatusRecord = defineRecord<PlacementStatus>('placement status', 1, statusSchema);
export const stopRequestRecord = defineRecord<StopRequest>('stop request', 1, stopRequestSchema);
