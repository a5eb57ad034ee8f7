import { z } from 'zod';

/** How far a model is on this GPU host. */
export const modelStateSchema = z.enum(['unknown', 'cold', 'placing', 'starting', 'ready', 'draining', 'stopping', 'quarantined']);

/** What Berth tells of a model beyond OpenAI's shape. */
export const berthModelSchema = z.object({
  /** `unknown` while Redis cannot be read. */
  state: modelStateSchema,
  /** Phase of the load, or stage of the placement. */
  phase: z.string().nullable(),
  /** 0..1 */
  progress: z.number().nullable(),
  etaSeconds: z.number().nullable(),
  /** Context length of the running endpoint. */
  maxModelLen: z.number().int().nullable(),
  aliases: z.array(z.string()),
  engine: z.enum(['vllm', 'openai']),
  gpus: z.number().int(),
  pinned: z.boolean(),
  /** Why the last start failed, and for how long no other is tried. */
  quarantine: z.object({ code: z.string(), message: z.string(), failures: z.number().int(), retryInSeconds: z.number() }).nullable(),
});

/** A model in OpenAI's shape. */
export const modelSchema = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.number().int(),
  owned_by: z.string(),
  berth: berthModelSchema,
});
export type ModelBody = z.infer<typeof modelSchema>;

export const modelListSchema = z.object({ object: z.literal('list'), data: z.array(modelSchema) });
export type ModelListBody = z.infer<typeof modelListSchema>;
