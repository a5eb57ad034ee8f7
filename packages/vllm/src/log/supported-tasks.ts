import { parseLogLines } from './log-line.ts';

/**
 * The tasks that an engine says it serves, e.g. `['generate']`: they decide which routes it has. `null` when the log does not tell,
 * or no longer reaches back to it. vLLM 0.32.0 writes `Supported tasks: ['generate']`, older ones `Supported_tasks`.
 */
export function parseSupportedTasks(lines: readonly string[]): string[] | null {
  const said = parseLogLines(lines).findLast(({ text }) => /^Supported[_ ]tasks: /u.test(text));
  if (said === undefined) return null;
  return [...said.text.matchAll(/'(?<task>[^']+)'/gu)].map((match) => match.groups?.['task'] ?? '');
}
