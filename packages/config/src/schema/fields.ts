import { isOperationalError } from '@berth/core';
import { z } from 'zod';
import { DURATION_PATTERN, formatDuration, parseDuration } from '../values/parse-duration.ts';
import { formatMemory, MEMORY_PATTERN, parseMemory } from '../values/parse-memory.ts';

interface Range {
  readonly least?: number;
  readonly most?: number;
}

/** Text such as `15m` that becomes milliseconds, over 0 unless `least` says otherwise. */
export function duration(description: string, range: Range = {}) {
  const limits = { least: range.least ?? 1, most: range.most ?? Number.POSITIVE_INFINITY };
  return z
    .string({ error: ({ input }) => describeNumber(input, (text) => parseDuration(text)) })
    .meta({ description, pattern: DURATION_PATTERN, examples: ['15m', '4m30s', '500ms'] })
    .transform((text, context) => {
      const durationMs = attempt(() => parseDuration(text), context);
      if (durationMs !== undefined) refuseOutside({ value: durationMs, text, limits, format: formatDuration }, context);
      return durationMs ?? z.NEVER;
    });
}

/** No card and no plausible cache is larger: beyond it the unit is a slip. The largest GPU of 2026 has 288 GB. */
const MOST_MEMORY_BYTES = 2 ** 40;

/** Text such as `4GiB` that becomes bytes, over 0 unless `least` says otherwise, and at most 1 TiB. */
export function memory(description: string, range: Range = {}) {
  const limits = { least: range.least ?? 1, most: range.most ?? MOST_MEMORY_BYTES };
  return z
    .string({ error: ({ input }) => describeNumber(input, (text) => parseMemory(text)) })
    .meta({ description, pattern: MEMORY_PATTERN, examples: ['256MiB', '1.5GiB', '4GB'] })
    .transform((text, context) => {
      const bytes = attempt(() => parseMemory(text), context);
      if (bytes !== undefined) refuseOutside({ value: bytes, text, limits, format: formatMemory }, context);
      return bytes ?? z.NEVER;
    });
}

/** Text that fits a pattern; `rule` says the pattern in words and ends the message. */
export function textLike(pattern: RegExp, rule: string, description: string) {
  return z
    .string()
    .regex(pattern, { error: (issue) => `"${String(issue.input)}" is not valid here. ${rule}` })
    .meta({ description });
}

/** A key that has a meaning in a later version: refused with its own text, and by the JSON schema too. */
export function notSupportedYet(advice: string) {
  return z
    .never({ error: `is not supported yet. ${advice}` })
    .optional()
    .meta({ description: `Not supported yet. ${advice}` });
}

/** A group of settings that may be left out: every key inside has a default. */
export function group<Shape extends z.ZodRawShape>(description: string, shape: Shape) {
  return z.strictObject(shape).meta({ description });
}

export const environmentName = textLike(
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  'A variable is named with letters, digits and _, and does not begin with a digit',
  'Name of an environment variable',
);

function attempt<Value>(parse: () => Value, context: z.RefinementCtx): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (!isOperationalError(error, 'INVALID_SETTINGS')) throw error;
    context.addIssue({ code: 'custom', message: error.message });
    return undefined;
  }
}

/** YAML reads `reserve: 4` as a number; what it lacks is a unit, and the parser says so best. */
function describeNumber(input: unknown, parse: (text: string) => number): string | undefined {
  if (typeof input !== 'number') return undefined;
  try {
    parse(String(input));
  } catch (error) {
    if (isOperationalError(error, 'INVALID_SETTINGS')) return error.message;
    throw error;
  }
  return undefined;
}

function refuseOutside(
  { value, text, limits, format }: { value: number; text: string; limits: Required<Range>; format: (value: number) => string },
  context: z.RefinementCtx,
): void {
  if (value < limits.least) {
    const least = limits.least === 1 ? 'more than zero' : `${format(limits.least)} or more`;
    context.addIssue({ code: 'custom', message: `"${text}" is too small. Write ${least}` });
  }
  if (value > limits.most) {
    context.addIssue({ code: 'custom', message: `"${text}" is larger than any plausible value (${format(limits.most)}). Check the unit` });
  }
}
