import { describe, expect, it } from 'vitest';
import type { ProcessEntry } from './process-table.ts';
import { listProcesses, membersOf, parseStat, readProcess } from './process-table.ts';

function entry(pid: number, fields: Partial<ProcessEntry> = {}): ProcessEntry {
  return { pid, parentPid: 1, groupId: pid, sessionId: pid, startTime: '100', ended: false, ...fields };
}

const pidsOf = (entries: readonly ProcessEntry[]) => entries.map(({ pid }) => pid).toSorted((one, other) => one - other);

describe('parseStat', () => {
  const rest = 'S 7 42 40 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3';
  it.each([
    ['a plain name', `42 (node) ${rest}`],
    ['a name with blanks and parentheses', `42 (VLLM::Worker (TP0) x) ${rest}`],
  ])('reads %s', (_what, text) => {
    expect(parseStat(text)).toEqual({ pid: 42, parentPid: 7, groupId: 42, sessionId: 40, startTime: '98765', ended: false });
  });

  it('tells a process that has ended and waits for its parent', () => {
    expect(parseStat(`42 (node) ${rest.replace('S', 'Z')}`)?.ended).toBe(true);
  });

  it.each(['', '42', '42 (node) S 1'])('is null for %j', (text) => {
    expect(parseStat(text)).toBeNull();
  });
});

describe('membersOf', () => {
  const leader = { pid: 10, startTime: '100' };

  it('finds the session, its groups and descendants in sessions of their own', () => {
    const table = [
      entry(10),
      entry(11, { parentPid: 10, groupId: 10, sessionId: 10 }),
      entry(12, { parentPid: 11, groupId: 12, sessionId: 10 }),
      entry(13, { parentPid: 12 }),
      entry(14, { parentPid: 13, groupId: 13, sessionId: 13 }),
      entry(20),
    ];
    expect(pidsOf(membersOf(leader, table))).toEqual([10, 11, 12, 13, 14]);
  });

  it('finds what its dead leader left', () => {
    expect(pidsOf(membersOf(leader, [entry(11, { groupId: 10, sessionId: 10 })]))).toEqual([11]);
  });

  it('leaves out what has ended', () => {
    expect(pidsOf(membersOf(leader, [entry(10, { ended: true }), entry(11, { sessionId: 10 })]))).toEqual([11]);
  });

  it('takes nothing from a stranger who has the id now', () => {
    const table = [entry(10, { startTime: '999' }), entry(11, { parentPid: 10, sessionId: 10 })];
    expect(membersOf(leader, table)).toEqual([]);
  });
});

describe('the process table', () => {
  it('has this process with its parent', async () => {
    const own = await readProcess(process.pid);
    expect(own).toMatchObject({ pid: process.pid, parentPid: process.ppid, ended: false });
    expect(await listProcesses()).toContainEqual(own);
  });

  it('is null for a process that is not there', async () => {
    expect(await readProcess(2 ** 22 + 1)).toBeNull();
  });
});
