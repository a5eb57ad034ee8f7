import { COLD_START_PHASES } from '@berth/core';
import { z } from 'zod';

/** How far a model is on this GPU host. */
export const modelStateSchema = z.enum(['unknown', 'cold', 'placing', 'starting', 'ready', 'draining', 'stopping', 'quarantined']);

/** What a queued start waits for. `residency`: those who would make room have only just become ready. */
export const queueReasonSchema = z.enum(['start-slot', 'older-placement', 'memory', 'residency', 'gpu-readings', 'right']);
export type QueueReason = z.infer<typeof queueReasonSchema>;

/** What Berth tells of a model beyond OpenAI's shape. */
export const berthModelSchema = z.object({
  /** `unknown` while Redis cannot be read. */
  state: modelStateSchema,
  /** Where its cold start is; `null` when there is none. */
  phase: z.enum(COLD_START_PHASES).nullable(),
  /** Models that make room for it, while `phase` is `draining`. */
  victims: z.array(z.string()),
  /** While `phase` is `queued`, where it is known. */
  waitingFor: queueReasonSchema.nullable(),
  /** 0..1 of the whole load, from its start on, by what earlier loads took; `null` before the first. */
  progress: z.number().nullable(),
  /** 0..1 of the present phase, where it counts: a pull, weights. */
  phaseProgress: z.number().nullable(),
  /** Learned time left, from the start on, at least 1; `null` before the first load, and when this one takes much longer than any before. */
  etaSeconds: z.number().int().nullable(),
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
