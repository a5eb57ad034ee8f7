import type { HostReading } from '../memory/gpu-reading.ts';

/** What a finished program left. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs nvidia-smi where it can see every process of the host: in a throw-away container, or from the path. */
export interface NvidiaSmiRunner {
  /** Throws `GPU_PROBE_FAILED` when the program cannot be run at all or does not end within `timeoutMs`, and `DOCKER_UNAVAILABLE`. */
  run(args: readonly string[], options: { readonly timeoutMs: number }): Promise<CommandResult>;
  /**
   * The same for several command lines, one after the other in this order, where that is cheaper than separate runs (one container
   * instead of two). Every command line is run and answered, whatever the one before it returned; `timeoutMs` is for all of them.
   */
  runAll?(commandLines: readonly (readonly string[])[], options: { readonly timeoutMs: number }): Promise<readonly CommandResult[]>;
}

/** Reads GPU memory. */
export interface GpuProbe {
  /** Throws `GPU_PROBE_FAILED` with what nvidia-smi said and what to do. */
  readHost(): Promise<HostReading>;
}
