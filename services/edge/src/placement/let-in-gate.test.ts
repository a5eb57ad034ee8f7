import { expect, test } from 'vitest';
import { asId } from '@berth/core';
import type { ModelName } from '@berth/core';
import { LetInGate } from './let-in-gate.ts';
import type { Turn } from './let-in-gate.ts';

const TINY = asId<ModelName>('tiny');
const never = new AbortController().signal;

/** So many ask to be let in, at once; `inside` are those whose turn has come, by their number. */
async function herd(gate: LetInGate, count: number) {
  const inside = new Map<number, Turn>();
  for (let at = 0; at < count; at += 1) void gate.enter(TINY, never).then((turn) => inside.set(at, turn));
  await settled();
  return {
    inside,
    each: async (act: (turn: Turn) => void): Promise<readonly number[]> => {
      const now = [...inside.keys()];
      for (const at of now) {
        const turn = inside.get(at);
        inside.delete(at);
        if (turn !== undefined) act(turn);
      }
      await settled();
      return [...inside.keys()];
    },
  };
}

/** As a request may that ends in several ways at once. */
function all(turn: Turn): void {
  turn.answered();
  turn.answered();
  turn.leave();
  turn.leave();
}

function gateOf(first: number): LetInGate {
  return new LetInGate({ first, patienceMs: 60_000 });
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a herd is let in a few at a time, in its order, twice as many with each round that the engine answers', async () => {
  const { inside, each } = await herd(gateOf(2), 15);
  expect([...inside.keys()]).toEqual([0, 1]);
  expect(await each((turn) => turn.answered())).toEqual([2, 3, 4, 5]);
  expect(await each((turn) => turn.answered())).toEqual([6, 7, 8, 9, 10, 11, 12, 13]);
  expect(await each((turn) => turn.answered())).toEqual([14]);
});

test('those that end without an answer make room for no more than themselves', async () => {
  const { each } = await herd(gateOf(2), 6);
  expect(await each((turn) => turn.leave())).toEqual([2, 3]);
  expect(await each((turn) => turn.leave())).toEqual([4, 5]);
});

test('a turn counts once, however often its request says that it has begun and ended', async () => {
  const { each } = await herd(gateOf(1), 8);
  expect(await each(all)).toEqual([1, 2]);
});

test('who gives up while waiting is passed over', async () => {
  const gate = gateOf(1);
  const first = await gate.enter(TINY, never);
  const leaving = new AbortController();
  const second = gate.enter(TINY, leaving.signal);
  const third = gate.enter(TINY, never);
  leaving.abort(new Error('left'));
  await expect(second).rejects.toThrow('left');
  first.leave();
  await expect(third).resolves.toBeDefined();
});

test('the next cold start begins with few again', async () => {
  const gate = gateOf(1);
  const before = await herd(gate, 4);
  while ((await before.each((turn) => turn.answered())).length > 0);
  const after = await herd(gate, 3);
  expect([...after.inside.keys()]).toEqual([0]);
});
