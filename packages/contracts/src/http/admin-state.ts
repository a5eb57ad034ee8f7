import { z } from 'zod';

const allocationSchema = z.object({ gpuUuid: z.string(), vramMiB: z.number() });
const failureSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
const reasonSchema = z.object({
  code: z.string(),
  gpuUuid: z.string().optional(),
  model: z.string().optional(),
  generation: z.string().optional(),
  numbers: z.record(z.string(), z.number()).optional(),
});

export const adminGpuSchema = z.object({
  uuid: z.string(),
  index: z.number().int(),
  product: z.string(),
  totalMiB: z.number().nullable(),
  budgetMiB: z.number().nullable(),
  usedMiB: z.number().nullable(),
  foreignMiB: z.number().nullable(),
  freeMiB: z.number().nullable(),
  reservedMiB: z.number(),
  claimedMiB: z.number(),
  endpointsMiB: z.number(),
  foreignProcesses: z.array(z.object({ pid: z.number(), name: z.string(), usedMiB: z.number().nullable() })),
});

export const adminEndpointSchema = z.object({
  generation: z.string(),
  model: z.string(),
  state: z.enum(['starting', 'ready', 'draining', 'stopping']),
  containerName: z.string(),
  allocations: z.array(allocationSchema),
  inFlight: z.number().int(),
  waiters: z.number().int(),
  lastUsedAtMs: z.number().nullable(),
  createdAtMs: z.number(),
  readyAtMs: z.number().nullable(),
  /** Phase of the load while it starts. */
  phase: z.string().nullable(),
  discovery: z.boolean(),
  maxModelLen: z.number().int().nullable(),
  /** Why it drains or stops. */
  reason: z.string().nullable(),
  failure: failureSchema.nullable(),
});

/** `GET /admin/v1/state`: everything a decision looks at, at one instant. Instants are epoch ms by Redis time. */
export const adminStateSchema = z.object({
  version: z.literal(1),
  nowMs: z.number(),
  leader: z.object({ id: z.string(), epoch: z.string(), sinceMs: z.number() }).nullable(),
  readingsAvailable: z.boolean().nullable(),
  problems: z.array(z.object({ code: z.string(), message: z.string() })),
  gpus: z.array(adminGpuSchema),
  endpoints: z.array(adminEndpointSchema),
  placements: z.array(
    z.object({
      model: z.string(),
      stage: z.string(),
      detail: z.string().nullable(),
      progress: z.number().nullable(),
      etaMs: z.number().nullable(),
      updatedAtMs: z.number(),
      reasons: z.array(reasonSchema),
    }),
  ),
  claims: z.array(
    z.object({
      model: z.string(),
      allocations: z.array(allocationSchema),
      victims: z.array(z.string()),
      discovery: z.boolean(),
      claimedAtMs: z.number(),
      drainingSinceMs: z.number().nullable(),
    }),
  ),
  wishes: z.array(
    z.object({ id: z.string(), model: z.string(), kind: z.string(), right: z.string(), arrivedAtMs: z.number(), endsAtMs: z.number() }),
  ),
  quarantines: z.array(z.object({ model: z.string(), failures: z.number().int(), untilMs: z.number(), failure: failureSchema })),
  edges: z.array(
    z.object({
      id: z.string(),
      expiresInMs: z.number(),
      leases: z.array(z.object({ generation: z.string(), inFlight: z.number().int() })),
      waiters: z.array(
        z.object({
          model: z.string(),
          right: z.string(),
          count: z.number().int(),
          oldestArrivedAtMs: z.number(),
          latestDeadlineAtMs: z.number(),
        }),
      ),
    }),
  ),
  models: z.array(z.object({ name: z.string(), aliases: z.array(z.string()), gpus: z.number().int(), pinned: z.boolean() })),
});
export type AdminState = z.infer<typeof adminStateSchema>;
