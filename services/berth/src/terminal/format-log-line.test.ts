import { expect, test } from 'vitest';
import { createLogFormatter } from './format-log-line.ts';

test('says time, service, event and fields in one short line', () => {
  const line = JSON.stringify({
    level: 30,
    time: Date.now(),
    pid: 1,
    hostname: 'h',
    model: 'llama',
    vramMiB: 812,
    msg: 'endpoint became ready',
  });
  expect(createLogFormatter('orchestrator')(line)).toMatch(
    /^\d\d:\d\d:\d\d orchestrator {2}endpoint became ready {2}model=llama vramMiB=812$/,
  );
});

test('shows the message of an error, and its level', () => {
  const line = JSON.stringify({ level: 50, time: 0, msg: 'step failed', err: { message: 'no such image', stack: 'long' } });
  expect(createLogFormatter('orchestrator')(line)).toContain('ERROR: step failed  err="no such image"');
});

test('leaves out debug lines and single requests, but not their failures', () => {
  expect(createLogFormatter('edge')(JSON.stringify({ level: 20, msg: 'renewed' }))).toBeNull();
  expect(createLogFormatter('edge')(JSON.stringify({ level: 30, requestId: 'r1', msg: 'request answered' }))).toBeNull();
  expect(createLogFormatter('edge')(JSON.stringify({ level: 50, requestId: 'r1', msg: 'request failed' }))).toContain('request failed');
});

test('shows what is not JSON as it is', () => {
  expect(createLogFormatter('edge')('SyntaxError: oh')).toContain('SyntaxError: oh');
  expect(createLogFormatter('edge')('')).toBeNull();
});

test('shows a plan by its kind and reasons, and not again while it stays the same', () => {
  const format = createLogFormatter('orchestrator');
  expect(format(waitingPlan(1, 'waiting-for-drain'))).toContain('plan=wait(waiting-for-drain)');
  expect(format(waitingPlan(2, 'waiting-for-drain'))).toBeNull();
  expect(format(waitingPlan(3, 'waiting-for-memory'))).toContain('waiting-for-memory');
});

function waitingPlan(untilMs: number, code: string): string {
  const plan = { kind: 'wait', untilMs, reasons: [{ code, numbers: { untilMs } }] };
  return JSON.stringify({ level: 30, time: 0, model: 'large', plan, msg: 'placement planned' });
}
