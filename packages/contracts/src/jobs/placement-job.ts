import type { FailureShape, Generation, ModelName, PlacementOutcome } from '@berth/core';
import { z } from 'zod';
import { failureSchema, idField } from '../records/fields.ts';
import { defineRecord } from '../records/versioned.ts';

/** Data of a `place` job: the model only. Who waits for it stands in the edge replicas' records. */
export const placeJobData = defineRecord<{ readonly model: ModelName }>('place job', 1, z.object({ model: idField<ModelName>() }));

const outcomeSchema: z.ZodType<PlacementOutcome> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), generation: idField<Generation>() }),
  z.object({ kind: z.literal('abandoned') }),
]);

/** Result of a `place` job. A hint: the registry is the truth. */
export const placeJobResult = defineRecord<PlacementOutcome>('place job result', 1, outcomeSchema);

/** A failure as it travels in a failed job's reason, the only field of an error that BullMQ carries (6.7.0). */
export const jobFailure = defineRecord<FailureShape>('job failure', 1, failureSchema);
