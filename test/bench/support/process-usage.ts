import { readdirSync, readFileSync } from 'node:fs';

/** CPU time that a process has used so far in all its threads, in ns (Linux `schedstat`); `NaN` where the system does not tell. */
export function readCpuNs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).reduce(
      (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]),
      0,
    );
  } catch {
    return Number.NaN;
  }
}
