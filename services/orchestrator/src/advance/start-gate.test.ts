import { describe, expect, it } from 'vitest';
import type { Observed } from '../snapshot/observe.ts';
import { card, gpu, processes, reading, ready, snapshot, starting, stopping, view } from '../testing/builders.ts';
import { hasRoomToStart, isOverBudget } from './start-gate.ts';

const waiting = starting('one', { on: { 0: 400 }, startedAtMs: null });
const loading = starting('two', { on: { 0: 300 } });

function observed(freeMiB: number | null, given: { readonly loads?: boolean; readonly loadedMiB?: number } = {}): Observed {
  const endpoints = given.loads === true ? [waiting, loading] : [waiting];
  return {
    state: { nowMs: 0, endpoints, lastUsedAtMs: new Map(), edges: [], claims: [], wishes: [], quarantines: [] },
    demand: new Map(),
    reading: reading([card(0, { freeMiB })], processes([9, given.loadedMiB ?? 0])),
    processIds: new Map([[loading.generation, [9]]]),
  };
}

describe('room to start', () => {
  it.each([
    ['as much is free as is reserved', observed(400), true],
    ['less is free', observed(399), false],
    ['the driver does not tell', observed(null), false],
    ['there is no reading', { ...observed(400), reading: null }, false],
    ['another start reserved what is free', observed(600, { loads: true }), false],
    ['another start has taken part of what it reserved', observed(600, { loads: true, loadedMiB: 100 }), true],
  ])('when %s', (_, seen, expected) => {
    expect(hasRoomToStart(waiting, seen)).toBe(expected);
  });
});

describe('a GPU over its budget', () => {
  const endpoints = [view(waiting), view(ready('neighbour', { on: { 0: 500 } }))];
  it.each([
    ['is not one that is just full', 900, 0, endpoints, false],
    ['is not one whose foreign memory breathes', 900, 60, endpoints, false],
    ['is one with foreign memory that came meanwhile', 900, 200, endpoints, true],
    ['is one whose neighbour was found to hold more', 900, 0, [view(waiting), view(ready('n', { on: { 0: 700 } }))], true],
    ['is not told while something stops there', 900, 200, [...endpoints, view(stopping('old', { on: { 0: 50 } }))], false],
  ])('%s', (_, budgetMiB, foreignMiB, views, expected) => {
    expect(isOverBudget(waiting, snapshot({ gpus: [gpu(0, { budgetMiB, foreignMiB })], endpoints: views }))).toBe(expected);
  });
});
