import { z } from 'zod';

/** The body of every failure, as OpenAI writes it. Engines give numbers as `code`, Berth gives words. */
export const errorEnvelopeSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    param: z.string().nullable(),
    code: z.union([z.string(), z.number()]).nullable(),
  }),
});
export type ErrorEnvelope = z.infer<typeof errorEnvelopeSchema>;

/** The body of a failure on `/v1/messages`, as Anthropic writes it. */
export const anthropicErrorSchema = z.object({
  type: z.literal('error'),
  error: z.object({ type: z.string(), message: z.string() }),
});
export type AnthropicError = z.infer<typeof anthropicErrorSchema>;
