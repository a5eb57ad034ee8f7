import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

export interface Leak {
  readonly what: 'process' | 'mount';
  readonly pid: number | null;
  readonly text: string;
}

/**
 * What still runs or is mounted and belongs to `folder`: a process whose command line, environment or working folder names it. The tests run with it as
 * their TMPDIR, so it marks every Redis, dockerd, containerd shim, engine and browser that they started, whoever its parent is by now.
 */
export function findLeaks(folder: string): readonly Leak[] {
  return process.platform === 'linux' ? [...linuxProcesses(folder), ...mounts(folder)] : processesByPs(folder);
}

/** Ends a process at once; one that has ended meanwhile is as good. Takes a mount away, as soon as nobody uses it. */
export function endLeak({ pid, text }: Leak): void {
  if (pid === null) {
    spawnSync('umount', ['--lazy', text]);
    return;
  }
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function linuxProcesses(folder: string): readonly Leak[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const command = readOrEmpty(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    const texts = [
      command,
      readOrEmpty(() => readFileSync(`/proc/${pid}/environ`, 'utf8')),
      readOrEmpty(() => readlinkSync(`/proc/${pid}/cwd`)),
    ];
    if (!texts.some((text) => text.includes(folder))) return [];
    const text = command.replaceAll('\0', ' ').trim();
    // A process that has ended and waits for its parent has no command line any more.
    return text === '' ? [] : [{ what: 'process' as const, pid, text }];
  });
}

function mounts(folder: string): readonly Leak[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${folder}/`))
    .map((text) => ({ what: 'mount' as const, pid: null, text }));
}

function processesByPs(folder: string): readonly Leak[] {
  const { stdout } = spawnSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(folder))
    .map((line) => ({ what: 'process' as const, pid: Number.parseInt(line, 10), text: line.trim() }));
}

/** Processes end between two reads, and some are not ours to look into. */
function readOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
