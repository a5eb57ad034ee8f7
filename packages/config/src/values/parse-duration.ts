import { OperationalError } from '@berth/core';

const MS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]);

/** A longer delay makes Node's timers fire at once (they hold 31 bits of milliseconds). */
export const LONGEST_DURATION_MS = 2 ** 31 - 1;

/** The same rule for the published JSON schema. */
export const DURATION_PATTERN = String.raw`^(?=\d)(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s)?(\d+ms)?$`;

/**
 * Milliseconds of a duration such as `15m`, `4m30s`, `10s` or `500ms`: units d, h, m, s, ms, largest first, each at most once. Throws
 * `INVALID_SETTINGS` for anything else, a number without a unit and a duration over 24 days included.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) throw refusal(text, `has no unit. Write ${trimmed}s or ${trimmed}m`);
  if (!/^(\d+(\.\d+)?[a-z]+)+$/.test(trimmed)) throw refusal(text, 'is not a duration. Write numbers with units, such as 4m30s');
  const units = [...MS_PER_UNIT.keys()];
  let durationMs = 0;
  let nextUnit = 0;
  for (const [, digits = '', unit = ''] of trimmed.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)) {
    const position = units.indexOf(unit);
    if (position === -1) throw refusal(text, `has an unknown unit "${unit}". Use d, h, m, s or ms`);
    if (position < nextUnit) throw refusal(text, 'names its units in the wrong order or twice. Write the largest first, such as 1h30m');
    nextUnit = position + 1;
    durationMs += Number(digits) * (MS_PER_UNIT.get(unit) ?? Number.NaN);
  }
  // 4.1s is 4100 ms by its meaning but 4099.999… in floating point.
  const wholeMs = Math.round(durationMs);
  if (Math.abs(durationMs - wholeMs) > 1e-6) throw refusal(text, 'is not a whole number of milliseconds');
  if (wholeMs > LONGEST_DURATION_MS) throw refusal(text, 'is too long. The longest duration is 24d');
  return wholeMs;
}

/** A duration as the catalog writes it, for messages. */
export function formatDuration(durationMs: number): string {
  let rest = durationMs;
  let text = '';
  for (const [unit, msPerUnit] of MS_PER_UNIT) {
    const count = Math.floor(rest / msPerUnit);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * msPerUnit;
  }
  return text === '' ? '0s' : text;
}

function refusal(text: string, what: string): OperationalError {
  return new OperationalError({ code: 'INVALID_SETTINGS', message: `"${text}" ${what}`, retryable: false, details: { text } });
}
