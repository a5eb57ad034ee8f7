import { OperationalError } from '@berth/core';

/** What nvidia-smi writes into a column that it cannot fill, with exit code 0 (nvidia-smi(1); R470 to R580 as seen in the field). */
const UNAVAILABLE = new Set([
  '[n/a]',
  'n/a',
  '[not supported]',
  '[not available]',
  '[not found]',
  '[insufficient permissions]',
  '[unknown error]',
  '[gpu requires reset]',
  '[gpu is lost]',
]);

/** True for a column that carries no value. Such a column is unknown, never zero. */
export function isUnavailable(text: string): boolean {
  return UNAVAILABLE.has(text.toLowerCase());
}

/**
 * Whole MiB of one memory column; `null` where the driver gave no number. Throws `GPU_PROBE_FAILED` with the whole line for
 * anything else, a unit other than MiB included.
 */
export function parseMiB(text: string, line: string): number | null {
  if (isUnavailable(text)) return null;
  const match = /^(\d{1,9})(?: MiB)?$/u.exec(text);
  if (match === null) throw unreadable(line, `"${text}" is no amount in MiB`);
  return Number(match[1]);
}

/** A whole number that must be there. Throws `GPU_PROBE_FAILED` with the whole line. */
export function parseWholeNumber(text: string, line: string, what: string): number {
  if (!/^\d{1,10}$/u.test(text)) throw unreadable(line, `"${text}" is no ${what}`);
  return Number(text);
}

/** The text as it is if it is a GPU's UUID. Throws `GPU_PROBE_FAILED` with the whole line. */
export function parseGpuUuid(text: string, line: string): string {
  if (!/^(?:GPU|MIG)-[0-9A-Za-z/-]+$/u.test(text)) throw unreadable(line, `"${text}" is no GPU UUID`);
  return text;
}

/** Lines that carry something, without the line ends of either system. */
export function csvLines(text: string): string[] {
  return text.split(/\r?\n/u).filter((line) => line.trim() !== '');
}

/** The failure for a line that is not what was asked for. */
export function unreadable(line: string, problem: string): OperationalError {
  const shown = line.length > 300 ? `${line.slice(0, 300)}…` : line;
  return new OperationalError({
    code: 'GPU_PROBE_FAILED',
    message: `Could not read the answer of nvidia-smi: ${problem} in the line "${shown}". Run the same query by hand and check that the program is NVIDIA's own.`,
    retryable: false,
    details: { line: shown },
  });
}
