import type { FailureShape, GpuProbe, HostReading } from '@berth/core';
import { isOperationalError } from '@berth/core';
import { totalVram } from '@berth/nvidia';
import type { Logger } from '@berth/telemetry';

export interface GpuMonitorOptions {
  readonly probe: GpuProbe;
  readonly log: Logger;
  readonly now: () => number;
  /** Pause after a failed reading before the next is tried. */
  readonly retryAfterMs: number;
}

/**
 * The last reading of the host's GPUs, read anew on demand and never twice at once. Readings count as available from the first that
 * names the memory of a GPU; until then nothing is learned and one model runs at a time.
 */
export class GpuMonitor {
  readonly #options: GpuMonitorOptions;
  #latest: HostReading | null = null;
  #previous: HostReading | null = null;
  #problem: FailureShape | null = null;
  #running: Promise<HostReading | null> | null = null;
  #runningSinceMs = 0;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #available = false;
  #failures = 0;

  constructor(options: GpuMonitorOptions) {
    this.#options = options;
  }

  get latest(): HostReading | null {
    return this.#latest;
  }

  /** The reading before the latest. */
  get previous(): HostReading | null {
    return this.#previous;
  }

  get available(): boolean {
    return this.#available;
  }

  /** Why the last attempt failed; `null` when it succeeded. */
  get problem(): FailureShape | null {
    return this.#problem;
  }

  /** Runs that gave no reading. */
  get failures(): number {
    return this.#failures;
  }

  /** A reading no older than `maxAgeMs`; `null` when there is none, the reason then in `problem`. Never throws. */
  async read({ maxAgeMs }: { readonly maxAgeMs: number }): Promise<HostReading | null> {
    const nowMs = this.#options.now();
    if (this.#latest !== null && this.#problem === null && nowMs - this.#latest.atMs <= maxAgeMs) return this.#latest;
    if (this.#running !== null && this.#runningSinceMs >= nowMs - maxAgeMs) return this.#running;
    if (nowMs - this.#failedAtMs < this.#options.retryAfterMs) return null;
    await this.#running;
    return this.#start();
  }

  /** Reads at once, whatever failed before. */
  async readAtStart(): Promise<HostReading | null> {
    await this.#running;
    return this.#start();
  }

  #start(): Promise<HostReading | null> {
    if (this.#running !== null) return this.#running;
    this.#runningSinceMs = this.#options.now();
    this.#running = this.#readOnce().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #readOnce(): Promise<HostReading | null> {
    const { probe, log, now } = this.#options;
    const startedAtMs = now();
    try {
      const reading = { ...(await probe.readHost()), atMs: startedAtMs };
      const totals = totalVram(reading);
      if (!this.#available) log.info({ gpus: totals }, 'total vram read');
      this.#previous = this.#latest;
      this.#latest = reading;
      this.#problem = null;
      this.#available = true;
      return reading;
    } catch (error) {
      this.#failedAtMs = now();
      this.#failures += 1;
      const problem = describe(error);
      // A host without GPUs fails the same way for ever.
      if (problem.message !== this.#problem?.message) log.error({ err: error, learning: this.#available }, 'gpu reading failed');
      this.#problem = problem;
      return null;
    }
  }
}

function describe(error: unknown): FailureShape {
  if (isOperationalError(error)) return error.toShape();
  return { code: 'GPU_PROBE_FAILED', message: error instanceof Error ? error.message : String(error), retryable: true };
}
