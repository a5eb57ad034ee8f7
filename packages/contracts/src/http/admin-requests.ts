import { z } from 'zod';

/** `POST /admin/v1/models/{id}/stop`, and `POST /admin/v1/stop` for all. */
export const stopRequestBodySchema = z.strictObject({
  /** Stops at once, whatever is in flight. */
  force: z.boolean().default(false),
  /** How long requests in flight may go on before the stop is forced; absent: as long as they take. */
  deadlineMs: z.number().int().min(0).nullable().default(null),
});
export type StopRequestBody = z.infer<typeof stopRequestBodySchema>;

/** What the edge answers to a load or a stop: it was noted, the orchestrator acts on it. */
export const acceptedSchema = z.object({ accepted: z.literal(true), id: z.string(), model: z.string().nullable() });
export type Accepted = z.infer<typeof acceptedSchema>;
