import type { Endpoint, Generation, GpuUuid, HostReading } from '@berth/core';
import { foreignMiB, isMovingOn } from '@berth/core';

/** What the steps of a term saw of GPU memory and have to remember: neither the registry nor a later reading tells it. */
export class MemoryNotes {
  readonly #processIds = new Map<Generation, Set<number>>();
  readonly #settledForeignMiB = new Map<GpuUuid, number>();

  /** Foreign memory per GPU as it was seen last while nothing started or stopped there: what a stop must bring back. */
  get settledForeignMiB(): ReadonlyMap<GpuUuid, number> {
    return this.#settledForeignMiB;
  }

  /** Recorded at ready, or seen since: a load that failed had processes, too, and the driver may list them for a while. */
  processIdsOf(endpoint: Endpoint): readonly number[] {
    const recorded = endpoint.state === 'starting' ? [] : endpoint.processIds;
    return [...new Set([...recorded, ...(this.#processIds.get(endpoint.generation) ?? [])])];
  }

  noteProcessIds(generation: Generation, processIds: readonly number[]): void {
    const known = this.#processIds.get(generation) ?? new Set<number>();
    for (const processId of processIds) known.add(processId);
    this.#processIds.set(generation, known);
  }

  /** Takes over foreign memory where it is settled. A GPU on which an engine loads or stops keeps its last value. */
  noteSettled(reading: HostReading | null, endpoints: readonly Endpoint[], processIds: ReadonlyMap<Generation, readonly number[]>): void {
    if (reading === null) return;
    for (const { uuid } of reading.gpus) {
      if (endpoints.some((endpoint) => isMovingOn(endpoint, uuid) && !isYetToStart(endpoint))) continue;
      const foreign = foreignMiB({ gpuUuid: uuid, reading, endpoints, processIds, settledMiB: null });
      if (foreign !== null) this.#settledForeignMiB.set(uuid, foreign);
    }
  }

  /** Forgets endpoints that are gone. */
  forgetOthers(endpoints: readonly Endpoint[]): void {
    const there = new Set(endpoints.map((endpoint) => endpoint.generation));
    for (const generation of this.#processIds.keys()) if (!there.has(generation)) this.#processIds.delete(generation);
  }
}

/** Its memory is reserved and not taken. */
function isYetToStart(endpoint: Endpoint): boolean {
  return endpoint.state === 'starting' && endpoint.startedAtMs === null;
}
