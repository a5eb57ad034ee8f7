import { OperationalError } from '@berth/core';
import type { z } from 'zod';
import { describeIssue } from '../catalog/shape-problems.ts';
import { deepFreeze } from '../values/deep-freeze.ts';

/**
 * A service's settings from its environment, frozen. A variable that is set to nothing counts as not set, as compose files pass
 * `${NAME:-}`. Throws one `INVALID_SETTINGS` that lists every problem by variable, with what to write; values are only quoted by fields
 * that hold no secret. Cross-field rules stand in the schema.
 */
export function parseEnvironment<Output>(schema: z.ZodType<Output>, env: Readonly<Record<string, string | undefined>>): Output {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''));
  const parsed = schema.safeParse(set, { error: describeIssue });
  if (parsed.success) return deepFreeze(parsed.data);
  const problems = parsed.error.issues.map(({ path, message }) => ({ variable: path.map(String).join('.'), message }));
  const lines = problems.map(({ variable, message }) => `${variable}: ${message}`);
  throw new OperationalError({
    code: 'INVALID_SETTINGS',
    message: `The environment has ${problems.length === 1 ? '1 problem' : `${problems.length} problems`}:\n${lines.join('\n')}`,
    retryable: false,
    details: { problems },
  });
}
