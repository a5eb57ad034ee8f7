import { describe, expect, it } from 'vitest';
import { card, generation, gpuUuid, processes, reading, ready, starting, stopping } from '../testing/builders.ts';
import { MemoryNotes } from './memory-notes.ts';

const GPU = gpuUuid(0);
const serving = ready('one', { on: { 0: 300 }, processIds: [7] });
const pids = new Map([[serving.generation, [7]]]);
const usedMiB = (used: number) => reading([card(0, { usedMiB: used })], processes([7, 300]));

describe('settled foreign memory', () => {
  it('is what is used and not ours', () => {
    const notes = new MemoryNotes();
    notes.noteSettled(usedMiB(350), [serving], pids);
    expect(notes.settledForeignMiB.get(GPU)).toBe(50);
  });

  it.each([
    ['an engine loads', starting('two', { on: { 0: 400 } })],
    ['an engine stops', stopping('two', { on: { 0: 400 } })],
  ])('keeps its last value while %s: that memory would come back with its stop', (_, moving) => {
    const notes = new MemoryNotes();
    notes.noteSettled(usedMiB(350), [serving], pids);
    notes.noteSettled(usedMiB(700), [serving, moving], pids);
    expect(notes.settledForeignMiB.get(GPU)).toBe(50);
  });

  it('takes over what came before a reserved engine was started', () => {
    const notes = new MemoryNotes();
    notes.noteSettled(usedMiB(500), [serving, starting('two', { on: { 0: 400 }, startedAtMs: null })], pids);
    expect(notes.settledForeignMiB.get(GPU)).toBe(200);
  });

  it('stays unknown where nothing was ever read', () => {
    const notes = new MemoryNotes();
    notes.noteSettled(null, [serving], pids);
    expect(notes.settledForeignMiB.size).toBe(0);
  });
});

describe('process ids', () => {
  it('of a load that failed are remembered until it is gone', () => {
    const notes = new MemoryNotes();
    notes.noteProcessIds(generation('1000two'), [11, 12]);
    notes.noteProcessIds(generation('1000two'), []);
    const failed = stopping('two');
    expect(notes.processIdsOf(failed)).toEqual([11, 12]);
    notes.forgetOthers([]);
    expect(notes.processIdsOf(failed)).toEqual([]);
  });
});
