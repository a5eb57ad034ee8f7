import { processTree, readCpuNs } from '../support/process-usage.ts';
import type { WrkResult } from '../support/wrk.ts';
import type { Bench } from './bench.ts';
import type { Target } from './targets.ts';

/** What a closed loop got, and the CPU time that all processes of the target together took for a request. */
export type LoadResult = WrkResult & { readonly cpuUs: number };

export const perSecond = (result: LoadResult): number => result.requestsPerSecond;
export const cpuPerRequest = (result: LoadResult): number => result.cpuUs;

/** A closed loop on a target for as long as an effort takes: one request under way on each connection, a small JSON answer at once. */
export async function loadOn(target: Target, connections: number, { wrk, effort, signal }: Bench): Promise<LoadResult> {
  const pids = target.pid === null ? [] : processTree(target.pid);
  const cpuNs = (): number => pids.reduce((sum, pid) => sum + readCpuNs(pid), 0);
  const before = cpuNs();
  const result = await wrk.load(target.ports.json, { connections, seconds: effort.seconds, signal });
  return { ...result, cpuUs: pids.length === 0 ? Number.NaN : (cpuNs() - before) / 1000 / result.requests };
}
