import { execFile } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const hasProc = process.platform === 'linux';

/** One process of this machine. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly groupId: number;
  readonly sessionId: number;
  /** Tells two processes with the same id apart: clock ticks since boot on Linux, start date elsewhere. */
  readonly startTime: string;
  /** Ended, but not yet waited for by its parent: it runs nothing and holds no memory. */
  readonly ended: boolean;
}

/** A process that stays the same process: ids are used again, also after a reboot. */
export interface ProcessBirth {
  readonly pid: number;
  readonly startTime: string;
  readonly bootId: string;
}

/** Changes with every boot of this machine. */
export async function readBootId(): Promise<string> {
  if (hasProc) return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return (await run('sysctl', ['-n', 'kern.boottime'])).stdout.trim();
}

/** `null` when there is no such process. */
export async function readProcess(pid: number): Promise<ProcessEntry | null> {
  if (!hasProc) return (await listProcesses()).find((entry) => entry.pid === pid) ?? null;
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return null; // ENOENT, or ESRCH when it ends while being read
  }
}

/** Every process that this user can see. */
export async function listProcesses(): Promise<readonly ProcessEntry[]> {
  if (hasProc) {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const entries = await Promise.all(pids.map((pid) => readProcess(Number(pid))));
    return entries.filter((entry) => entry !== null);
  }
  // Sessions are not numbers on macOS; an engine leads its session, so its group stands in.
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid=,pgid=,stat=,lstart=']);
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line);
    if (match === null) return [];
    const [, pid, parentPid, groupId, state = '', startTime = ''] = match;
    return [
      {
        pid: Number(pid),
        parentPid: Number(parentPid),
        groupId: Number(groupId),
        sessionId: Number(groupId),
        startTime,
        ended: state.startsWith('Z'),
      },
    ];
  });
}

/**
 * Parses `/proc/PID/stat` (proc(5)): the name in parentheses may hold blanks and parentheses, so fields count from the last one.
 * `null` for any other text.
 */
export function parseStat(text: string): ProcessEntry | null {
  const pid = /^(\d+) \(/.exec(text)?.[1];
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const [state, parentPid, groupId, sessionId] = fields;
  const startTime = fields[19];
  if (pid === undefined || state === undefined || startTime === undefined) return null;
  return {
    pid: Number(pid),
    parentPid: Number(parentPid),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    startTime,
    ended: state === 'Z' || state === 'X',
  };
}

/**
 * The living processes of the session that `leader` began, with all their descendants, also those in sessions of their own. The leader
 * itself may be gone. Empty when its id belongs to somebody else by now: an id is not given away while a session of that number lives.
 */
export function membersOf(leader: Pick<ProcessBirth, 'pid' | 'startTime'>, table: readonly ProcessEntry[]): readonly ProcessEntry[] {
  if (table.some((entry) => entry.pid === leader.pid && entry.startTime !== leader.startTime)) return [];
  const members = new Map(
    table
      .filter((entry) => entry.sessionId === leader.pid || entry.groupId === leader.pid || entry.pid === leader.pid)
      .map((entry) => [entry.pid, entry]),
  );
  for (let known = -1; known !== members.size;) {
    known = members.size;
    for (const entry of table) if (members.has(entry.parentPid)) members.set(entry.pid, entry);
  }
  return [...members.values()].filter((entry) => !entry.ended);
}
