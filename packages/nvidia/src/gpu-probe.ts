import { OperationalError } from '@berth/core';
import type { CommandResult, GpuProbe, GpuProcess, HostReading, NvidiaSmiRunner } from '@berth/core';
import { describeExit } from './exit-codes.ts';
import { parseComputeApps, QUERY_COMPUTE_APPS } from './parse-compute-apps.ts';
import { parseGpus, QUERY_GPUS } from './parse-gpus.ts';

export interface GpuProbeOptions {
  /** For one run of nvidia-smi; without persistence mode the first one initialises the driver, which takes seconds. */
  readonly timeoutMs: number;
  readonly now: () => number;
}

const NOT_SUPPORTED = 3;

/**
 * Builds the probe that reads all GPUs through nvidia-smi. Processes are read before cards: memory that an endpoint of ours
 * takes between the two then counts as foreign for one reading, which keeps a start waiting, and is never missing from the sum.
 * `atMs` is the time before the first of the two. `readHost` throws `GPU_PROBE_FAILED` with what nvidia-smi said and a remedy.
 */
export function createGpuProbe(runner: NvidiaSmiRunner, options: GpuProbeOptions): GpuProbe {
  return {
    async readHost(): Promise<HostReading> {
      const atMs = options.now();
      const [apps, cards] = await runQueries(runner, options.timeoutMs);
      if (cards.exitCode !== 0) throw describeExit(cards);
      const processes = readProcesses(apps);
      const gpus = parseGpus(cards.stdout);
      if (gpus.length === 0) throw noGpu();
      return { atMs, gpus, processes };
    },
  };
}

async function runQueries(runner: NvidiaSmiRunner, timeoutMs: number): Promise<readonly [CommandResult, CommandResult]> {
  if (runner.runAll === undefined) {
    const apps = await runner.run(QUERY_COMPUTE_APPS, { timeoutMs });
    return [apps, await runner.run(QUERY_GPUS, { timeoutMs })];
  }
  const [apps, cards] = await runner.runAll([QUERY_COMPUTE_APPS, QUERY_GPUS], { timeoutMs });
  if (apps === undefined || cards === undefined) throw new RangeError('runAll must answer every command line it was given');
  return [apps, cards];
}

function readProcesses(apps: CommandResult): GpuProcess[] | null {
  if (apps.exitCode === NOT_SUPPORTED) return null;
  if (apps.exitCode !== 0) throw describeExit(apps);
  return parseComputeApps(apps.stdout);
}

function noGpu(): OperationalError {
  return new OperationalError({
    code: 'GPU_PROBE_FAILED',
    message: 'nvidia-smi ran but listed no GPU. Check with `nvidia-smi -L` on the host that a GPU is there, and that containers get it.',
    retryable: false,
  });
}
