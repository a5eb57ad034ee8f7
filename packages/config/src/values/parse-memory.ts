import { OperationalError } from '@berth/core';

const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const AMOUNT = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/;

/** The same rule for the published JSON schema. */
export const MEMORY_PATTERN = String.raw`^\d+(\.\d+)? ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$`;

/**
 * Bytes of an amount of memory such as `256MiB`, `1.5GiB` or `4GB`. Binary units are powers of 1024, decimal ones of 1000; a fraction
 * of a byte is rounded up. Throws `INVALID_SETTINGS` for anything else, a number without a unit included: 4 could be bytes or GiB.
 */
export function parseMemory(text: string): number {
  const [, digits, unit] = AMOUNT.exec(text.trim()) ?? [];
  if (digits === undefined || unit === undefined)
    throw refusal(text, 'is not an amount of memory. Write a number and a unit, such as 4GiB');
  if (unit === '') throw refusal(text, `has no unit. Write ${digits}MiB or ${digits}GiB`);
  const bytesPerUnit = BYTES_PER_UNIT[unit];
  if (bytesPerUnit === undefined) throw refusal(text, `has an unknown unit "${unit}". ${nearestUnits(digits, unit)}`);
  const bytes = Math.ceil(Number(digits) * bytesPerUnit);
  if (!Number.isSafeInteger(bytes)) throw refusal(text, 'is more memory than any machine has. Check the unit');
  return bytes;
}

/** Whole MiB that hold this many bytes: what must be kept free is rounded up. */
export function mebibytesUp(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_MIB);
}

/** Whole MiB that these bytes hold: what may be used is rounded down. */
export function mebibytesDown(bytes: number): number {
  return Math.floor(bytes / BYTES_PER_MIB);
}

/** An amount in the largest binary unit that says it in a few digits, for messages. */
export function formatMemory(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const amount = bytes / (BYTES_PER_UNIT[unit] ?? 1);
    if (amount >= 1) return `${Number(amount.toFixed(2))}${unit}`;
  }
  return `${bytes}B`;
}

const BYTES_PER_MIB = 2 ** 20;

function nearestUnits(digits: string, unit: string): string {
  const letter = unit.charAt(0).toUpperCase();
  if (!'KMGT'.includes(letter)) return 'Use B, KiB, MiB, GiB or TiB';
  const decimal = letter === 'K' ? 'kB' : `${letter}B`;
  return `Write ${digits}${letter}iB (powers of 1024) or ${digits}${decimal} (powers of 1000)`;
}

function refusal(text: string, what: string): OperationalError {
  return new OperationalError({ code: 'INVALID_SETTINGS', message: `"${text}" ${what}`, retryable: false, details: { text } });
}
