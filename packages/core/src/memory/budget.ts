import type { GpuReading } from './gpu-reading.ts';

/**
 * MiB of a GPU that Berth may use: (total − driver-reserved) × `budgetFraction` − `reserveMiB`, rounded down, at least 0.
 * `null` when the driver does not tell the total. A driver that does not tell what it reserves counts it as used (before R510), or
 * leaves it as the difference of total, used and free.
 */
export function budgetMiB(
  reading: GpuReading,
  { budgetFraction, reserveMiB }: { readonly budgetFraction: number; readonly reserveMiB: number },
): number | null {
  if (reading.totalMiB === null) return null;
  const usableMiB = reading.totalMiB - (reading.driverReservedMiB ?? unaccountedMiB(reading));
  return Math.max(0, Math.floor(usableMiB * budgetFraction - reserveMiB));
}

function unaccountedMiB({ totalMiB, usedMiB, freeMiB }: GpuReading): number {
  return totalMiB === null || usedMiB === null || freeMiB === null ? 0 : Math.max(0, totalMiB - usedMiB - freeMiB);
}
