import { z } from 'zod';
import { textLike } from './fields.ts';

/** Rights in the order in which each includes those before it. */
export const KEY_RIGHTS = ['use', 'place', 'displace'] as const;

/** Beyond it the limit is a slip; the edge keeps one instant per request of the last minute. */
const MOST_REQUESTS = 1_000_000;

const HOW_TO_HASH = 'Write the 64 hex digits that this prints: printf %s "$KEY" | sha256sum';

/** What was written where a hash belongs may be the key itself, so none of these messages repeats it. */
const sha256 = z
  .string({
    error: ({ input }) => (input === undefined ? `is missing. ${HOW_TO_HASH}` : `is no text. In quotes, ${lowerFirst(HOW_TO_HASH)}`),
  })
  .regex(/^[0-9a-fA-F]{64}$/, { error: `is no SHA-256 in hex. Never write the key itself. ${HOW_TO_HASH}` })
  .meta({ description: 'SHA-256 of the key in 64 hex digits: printf %s "$KEY" | sha256sum' });

const keyId = z
  .string({ error: ({ input }) => (input === undefined ? 'is missing. Add a name for the key' : 'must be text') })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
    error: 'is not valid here. A name of a key has letters, digits and . _ -, at most 64, and begins with a letter or digit',
  })
  .meta({ description: 'Name of the key, for logs and messages. Never the key itself' });

const modelGlob = textLike(
  /^[A-Za-z0-9._:/@+*-]{1,200}$/,
  'Write the name of a model; * stands for any characters',
  'Name of a model; * stands for any characters, / included',
);

const limit = (description: string) => z.int().min(1).max(MOST_REQUESTS).optional().meta({ description });

/** One entry of `keys`. */
export const keySchema = z.strictObject(
  {
    id: keyId,
    sha256,
    models: z
      .array(modelGlob)
      .min(1)
      .default(['*'])
      .meta({ description: "Models that the key may use, by their own names; an alias counts as its model's name" }),
    rights: z
      .array(z.enum(KEY_RIGHTS))
      .min(1)
      .default([...KEY_RIGHTS])
      .meta({ description: 'use loaded models, place: cause a start, displace: cause an eviction. Each includes those before it' }),
    maxInFlight: limit('Requests of the key in flight at once, per edge process; beyond it 429'),
    requestsPerMinute: limit('Requests of the key within any 60 s, per edge process; beyond it 429'),
  },
  { error: notAnEntry },
);

/** One entry of `adminKeys`. */
export const adminKeySchema = z.strictObject({ id: keyId, sha256 }, { error: notAnEntry });

/** `keys` and `adminKeys`. */
export const keysShape = {
  keys: listOf(keySchema, 'the API is open then').meta({
    description: 'Who may use the API. Left out: everybody who reaches it',
  }),
  adminKeys: listOf(adminKeySchema, 'without keys and adminKeys the admin API is open').meta({
    description: 'Who may use /admin and the front page. Left out: nobody if there are keys, else everybody',
  }),
};

export type KeyInput = z.output<typeof keySchema>;
export type AdminKeyInput = z.output<typeof adminKeySchema>;

function listOf<Entry extends z.ZodType>(entry: Entry, leftOut: string) {
  return z
    .array(entry, { error: `is no list. Write one entry per key, each beginning with - id, or leave it out: ${leftOut}` })
    .min(1, { error: `is empty. Write at least one entry, or leave it out: ${leftOut}` })
    .optional();
}

/** zod's own words stand for unknown keys, which are named without their values. */
function notAnEntry(issue: z.core.$ZodRawIssue): string | undefined {
  return issue.code === 'invalid_type' ? 'must be a map with id and sha256' : undefined;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
