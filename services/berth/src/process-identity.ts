import { readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

/** A process that cannot be mistaken for a later one with the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

/** Identity of a living process; `null`: there is none with this id (one that has ended and was not waited for counts as none). */
export function readProcessIdentity(pid: number): ProcessIdentity | null {
  const startedAt = process.platform === 'linux' ? readStartFromProc(pid) : readStartFromPs(pid);
  return startedAt === null ? null : { pid, startedAt };
}

/** True while exactly this process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readProcessIdentity(identity.pid)?.startedAt === identity.startedAt;
}

/** Field 22 of proc(5) stat, in clock ticks since boot, with the boot's id, so that it stays unique across a restart of the machine. */
function readStartFromProc(pid: number): string | null {
  try {
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    const [state] = fields;
    const ticks = fields[19];
    if (state === 'Z' || ticks === undefined) return null;
    return `${ticks}@${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}`;
  } catch {
    return null;
  }
}

function readStartFromPs(pid: number): string | null {
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() === '' ? null : stdout.trim();
}
