import { describe, expect, it } from 'vitest';
import { card, gpuUuid, memory, reading, ready, starting } from '../testing/builders.ts';
import { measureCards } from './measure.ts';

const neighbour = ready('neighbour', { on: { 0: 300 } });
const cards = (usedMiB: number | null) => reading([card(0, { usedMiB })], null);

describe('what a card gained, where the driver tells no memory per process', () => {
  it('is what is neither foreign nor a neighbour', () => {
    const endpoint = starting('one', { on: { 0: 500 }, usedBefore: memory({ 0: 350 }) });
    const settled = new Map([[gpuUuid(0), 50]]);
    expect(measureCards(endpoint, [neighbour], cards(750), settled)).toEqual({ measured: memory({ 0: 400 }), exact: true });
  });

  it('is not too small when a neighbour stopped during the load', () => {
    const endpoint = starting('one', { on: { 0: 500 }, usedBefore: memory({ 0: 350 }) });
    const settled = new Map([[gpuUuid(0), 50]]);
    expect(measureCards(endpoint, [], cards(450), settled).measured).toEqual(memory({ 0: 400 }));
  });

  it('is charged and not learned when nobody saw the card before the start', () => {
    const endpoint = starting('one', { on: { 0: 500 } });
    expect(measureCards(endpoint, [neighbour], cards(750), new Map())).toEqual({ measured: memory({ 0: 450 }), exact: false });
  });

  it('is unknown where the driver tells no used memory', () => {
    expect(measureCards(starting('one', { on: { 0: 500 } }), [], cards(null), new Map()).measured).toEqual([]);
  });
});
