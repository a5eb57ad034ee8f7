import type { Generation, GpuUuid } from '../ids.ts';
import type { Endpoint, StoppingEndpoint } from '../lifecycle/endpoint.ts';
import type { HostReading } from './gpu-reading.ts';
import { allocatedOn } from './allocation.ts';
import { listedMiB, measuredMiB } from './ours.ts';

/** `timed-out`: what is left of it counts as foreign memory from now on, and its neighbours want to be measured again. */
export type Release = 'released' | 'waiting' | 'timed-out';

export interface ReleaseInput {
  readonly endpoint: StoppingEndpoint;
  /** Taken after the exit was seen; `null` when there is none. */
  readonly reading: HostReading | null;
  /** Every process id it ever had. */
  readonly pids: readonly number[];
  /** All endpoints of the host, with their process ids: what its neighbours hold is not its own. */
  readonly endpoints: readonly Endpoint[];
  readonly processIds: ReadonlyMap<Generation, readonly number[]>;
  /** Foreign memory from before anything began to move. */
  readonly settledForeignMiB: ReadonlyMap<GpuUuid, number>;
  readonly nowMs: number;
  readonly exitedAtMs: number;
  readonly timeoutMs: number;
}

/**
 * Whether the memory of an endpoint whose exit was seen is back, by a reading taken after it. On each of its GPUs
 * 1. the driver lists none of its processes any more, and
 * 2. used memory fell by what was measured for it: what its neighbours do not account for is no more than was foreign before.
 *
 * Where it is not known what was foreign before, the driver's list of processes alone decides; without either only the timeout does.
 */
export function releaseOf(input: ReleaseInput): Release {
  const { endpoint, nowMs, exitedAtMs, timeoutMs } = input;
  if (endpoint.allocations.every(({ gpuUuid }) => isReleasedOn(gpuUuid, input))) return 'released';
  return nowMs - exitedAtMs >= timeoutMs ? 'timed-out' : 'waiting';
}

function isReleasedOn(gpuUuid: GpuUuid, input: ReleaseInput): boolean {
  const { endpoint, reading, pids, settledForeignMiB } = input;
  const usedMiB = reading?.gpus.find((gpu) => gpu.uuid === gpuUuid)?.usedMiB ?? null;
  if (reading === null || usedMiB === null) return false;
  // 1
  if (reading.processes?.some((row) => row.gpuUuid === gpuUuid && pids.includes(row.pid)) === true) return false;
  // 2
  const foreignBeforeMiB = settledForeignMiB.get(gpuUuid);
  if (foreignBeforeMiB === undefined) return reading.processes !== null;
  const unaccountedMiB = usedMiB - neighboursMiB(gpuUuid, reading, input);
  return unaccountedMiB <= foreignBeforeMiB + noiseMiB(allocatedOn(endpoint.allocations, gpuUuid));
}

function neighboursMiB(gpuUuid: GpuUuid, reading: HostReading, { endpoint, endpoints, processIds }: ReleaseInput): number {
  const neighbours = endpoints.filter((other) => other.generation !== endpoint.generation);
  const listed = listedMiB({ gpuUuid, reading, endpoints: neighbours, processIds });
  return listed === null ? measuredMiB(neighbours, gpuUuid) : [...listed.values()].reduce((total, vramMiB) => total + vramMiB, 0);
}

/** Drivers and neighbours breathe: 64 MiB, or the 3 % that a footprint's margin allows for. */
function noiseMiB(chargedMiB: number): number {
  return Math.max(64, chargedMiB * 0.03);
}
