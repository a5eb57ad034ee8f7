import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { listenForStop } from './stop-requests.ts';

test('one Ctrl-C that arrives several times asks once, and a second one a second later stops at once', () => {
  const source = new EventEmitter();
  let nowMs = 1_000_000;
  using stop = listenForStop(source, () => nowMs);
  expect(stop.graceful.aborted).toBe(false);
  source.emit('SIGINT');
  expect(stop.graceful.aborted).toBe(true);
  nowMs += 999;
  source.emit('SIGTERM');
  expect(stop.atOnce.aborted).toBe(false);
  nowMs += 1;
  source.emit('SIGINT');
  expect(stop.atOnce.aborted).toBe(true);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'])('%s asks for a graceful stop', (event) => {
  const source = new EventEmitter();
  using stop = listenForStop(source, () => 0);
  source.emit(event);
  expect(stop.graceful.aborted).toBe(true);
});

test('a parent that disappears while Berth is stopping does not cut the stop short', () => {
  const source = new EventEmitter();
  let nowMs = 0;
  using stop = listenForStop(source, () => nowMs);
  source.emit('SIGINT');
  nowMs = 5000;
  source.emit('disconnect');
  expect(stop.atOnce.aborted).toBe(false);
});

test('gives the signals back when it is disposed of', () => {
  const source = new EventEmitter();
  listenForStop(source, () => 0)[Symbol.dispose]();
  expect(source.eventNames()).toEqual([]);
});
