import { setTimeout as sleep } from 'node:timers/promises';
import { OperationalError } from '@berth/core';
import type { ProcessBirth, ProcessEntry } from './process-table.ts';
import { listProcesses, membersOf, readBootId } from './process-table.ts';
import { isFileError } from './run-directory.ts';

const LOOK_EVERY_MS = 50;
/** SIGKILL takes effect at once, unless the kernel itself is stuck (a driver that does not return). */
const KILL_DEADLINE_MS = 20_000;

/** Living processes of an engine; none after a reboot. */
export async function livingMembers(leader: ProcessBirth): Promise<readonly ProcessEntry[]> {
  if ((await readBootId()) !== leader.bootId) return [];
  return membersOf(leader, await listProcesses());
}

/**
 * SIGTERM to the engine's whole group, SIGKILL to all its processes after `graceMs` (at once with 0). Returns when none is left.
 * Throws `ENGINE_UNRESPONSIVE` for processes that outlive SIGKILL by 20 s.
 */
export async function stopSession(leader: ProcessBirth, graceMs: number): Promise<void> {
  if (graceMs > 0) {
    const members = await livingMembers(leader);
    if (members.some((member) => member.groupId === leader.pid)) signal(-leader.pid, 'SIGTERM');
    if (await waitUntilGone(leader, graceMs)) return;
  }
  const deadline = performance.now() + KILL_DEADLINE_MS;
  for (;;) {
    const members = await livingMembers(leader);
    if (members.length === 0) return;
    for (const member of members) signal(member.pid, 'SIGKILL');
    if (performance.now() > deadline) throw outlivedKill(members);
    await sleep(LOOK_EVERY_MS);
  }
}

async function waitUntilGone(leader: ProcessBirth, forMs: number): Promise<boolean> {
  const deadline = performance.now() + forMs;
  while ((await livingMembers(leader)).length > 0) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) return false;
    await sleep(Math.min(LOOK_EVERY_MS, leftMs));
  }
  return true;
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!isFileError(error, 'ESRCH')) throw error; // it ended meanwhile
  }
}

function outlivedKill(members: readonly ProcessEntry[]): OperationalError {
  const pids = members.map((member) => member.pid);
  return new OperationalError({
    code: 'ENGINE_UNRESPONSIVE',
    message: `The processes ${pids.join(', ')} are still there ${KILL_DEADLINE_MS / 1000} s after SIGKILL: the kernel holds them, as a rule in the GPU driver. A reboot frees them.`,
    retryable: true,
    details: { pids },
  });
}
