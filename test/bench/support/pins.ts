import { execFileSync } from 'node:child_process';
import { findProgram } from '../../../services/berth/src/install/run-program.ts';

/** Which cores run what, as lists that `taskset` takes. */
export interface Pins {
  /** What is measured. */
  readonly proxy: string;
  /** Upstream and load generator. */
  readonly load: string;
}

/** What is measured on core 0, all else on core 1. `null`: nothing is pinned, because of `PIN=0`, one core, or no `taskset`. */
export function choosePins(env: NodeJS.ProcessEnv, cores: number): Pins | null {
  const can = env['PIN'] !== '0' && cores > 1 && findProgram(['taskset'], env) !== null;
  return can ? { proxy: '0', load: '1' } : null;
}

/** Moves a process with all its threads; what it starts from then on stays with it. */
export function pin(pid: number, cores: string | undefined): void {
  if (cores !== undefined) execFileSync('taskset', ['-acp', cores, String(pid)], { stdio: 'ignore' });
}
