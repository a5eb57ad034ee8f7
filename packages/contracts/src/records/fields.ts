import { asId, ERROR_CODES } from '@berth/core';
import type { Branded, FailureShape, GpuAllocation, Reason, ReasonCode } from '@berth/core';
import { z } from 'zod';

/** Non-empty text with the brand that its position calls for. */
export function idField<Id extends Branded<string>>(): z.ZodType<Id> {
  return z
    .string()
    .min(1)
    .transform((text) => asId<Id>(text));
}

export const instantMs = z.number();
export const count = z.int().nonnegative();

export const allocationSchema: z.ZodType<GpuAllocation> = z.object({ gpuUuid: idField<GpuAllocation['gpuUuid']>(), vramMiB: z.number() });

export const failureSchema: z.ZodType<FailureShape> = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string(),
  retryable: z.boolean(),
  retryAfterMs: z.number().exactOptional(),
  details: z.record(z.string(), z.unknown()).exactOptional(),
});

export const placementRightSchema = z.enum(['use', 'place', 'displace']);

/** Any text passes as the code: reasons are for people, and an older reader shows a newer code as it is. */
export const reasonSchema: z.ZodType<Reason> = z.object({
  code: z.custom<ReasonCode>((value) => typeof value === 'string'),
  gpuUuid: idField<NonNullable<Reason['gpuUuid']>>().exactOptional(),
  model: idField<NonNullable<Reason['model']>>().exactOptional(),
  generation: idField<NonNullable<Reason['generation']>>().exactOptional(),
  numbers: z.record(z.string(), z.number()).exactOptional(),
});
