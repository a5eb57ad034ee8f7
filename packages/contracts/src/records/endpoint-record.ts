import { RETIRE_REASONS } from '@berth/core';
import type { Endpoint, RetireReason } from '@berth/core';
import { z } from 'zod';
import { allocationSchema, failureSchema, idField, instantMs } from './fields.ts';
import { defineRecord } from './versioned.ts';

const retireReason = z.enum(Object.keys(RETIRE_REASONS) as [RetireReason, ...RetireReason[]]);

const urls = z.object({ name: z.string().nullable(), address: z.string().nullable(), loopback: z.string().nullable() });

const base = {
  generation: idField<Endpoint['generation']>(),
  model: idField<Endpoint['model']>(),
  signature: idField<Endpoint['signature']>(),
  imageId: z.string(),
  hasCounter: z.boolean(),
  containerName: z.string(),
  handle: idField<NonNullable<Endpoint['handle']>>().nullable(),
  allocations: z.array(allocationSchema),
  servedNames: z.array(z.string()),
  createdAtMs: instantMs,
  kvCacheBytes: z.number().nullable(),
};

const serving = {
  urls,
  readyAtMs: instantMs,
  loadMs: z.number(),
  processIds: z.array(z.int()),
  measured: z.array(allocationSchema),
  maxModelLen: z.number().nullable(),
  sparedUntilMs: instantMs.nullable(),
};

const endpointSchema: z.ZodType<Endpoint> = z.discriminatedUnion('state', [
  z.object({
    ...base,
    state: z.literal('starting'),
    discovery: z.boolean(),
    startedAtMs: instantMs.nullable(),
    phase: z.string(),
    usedBefore: z.array(allocationSchema),
    deadlineAtMs: instantMs,
  }),
  z.object({ ...base, ...serving, state: z.literal('ready') }),
  z.object({
    ...base,
    ...serving,
    state: z.literal('draining'),
    reason: retireReason,
    claimedBy: idField<Endpoint['model']>().nullable(),
    drainingSinceMs: instantMs,
  }),
  z.object({
    ...base,
    state: z.literal('stopping'),
    reason: retireReason,
    failure: failureSchema.nullable(),
    kill: z.boolean(),
    stoppingSinceMs: instantMs,
    exitedAtMs: instantMs.nullable(),
    urls: urls.nullable(),
    processIds: z.array(z.int()),
  }),
]);

/** An endpoint generation, one record each. */
export const endpointRecord = defineRecord<Endpoint>('endpoint', 1, endpointSchema);
