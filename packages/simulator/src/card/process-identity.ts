import { readFileSync, readlinkSync } from 'node:fs';

/** The PID namespace of this process; systems other than Linux have but one. */
export function ownPidNamespace(): string {
  return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : 'host';
}

/** When this process started, as `startTicks` tells it; nothing on systems other than Linux. */
export function ownStartTicks(): string {
  return process.platform === 'linux' ? startTicks(readFileSync('/proc/self/stat', 'utf8')) : '';
}

/** Start time of a process in ticks since boot, field 22 of `/proc/PID/stat` (proc(5)): tells a process from a later one with its id. */
export function startTicks(stat: string): string {
  // The second field is the name in parentheses and may itself hold spaces and parentheses.
  return (
    stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .at(19) ?? ''
  );
}
