import { z } from 'zod';

const problemSchema = z.object({ code: z.string(), message: z.string() });

/** `GET /health/ready`. `degraded` names what fails while this edge still serves. */
export const readinessSchema = z.object({ status: z.enum(['ready', 'starting', 'stopping']), degraded: z.array(problemSchema) });
export type Readiness = z.infer<typeof readinessSchema>;

/** `GET /health/placement`. `degraded` names what still lets placements go on: learning switched off, a dependency that fails now and then. */
export const placementHealthSchema = z.object({
  status: z.enum(['ok', 'degraded', 'failing']),
  problems: z.array(problemSchema),
  degraded: z.array(problemSchema),
});
export type PlacementHealth = z.infer<typeof placementHealthSchema>;
