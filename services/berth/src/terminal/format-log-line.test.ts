import { expect, test } from 'vitest';
import { formatLogLine } from './format-log-line.ts';

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
  expect(formatLogLine('orchestrator', line)).toMatch(/^\d\d:\d\d:\d\d orchestrator {2}endpoint became ready {2}model=llama vramMiB=812$/);
});

test('shows the message of an error, and its level', () => {
  const line = JSON.stringify({ level: 50, time: 0, msg: 'step failed', err: { message: 'no such image', stack: 'long' } });
  expect(formatLogLine('orchestrator', line)).toContain('ERROR: step failed  err="no such image"');
});

test('leaves out debug lines and single requests, but not their failures', () => {
  expect(formatLogLine('edge', JSON.stringify({ level: 20, msg: 'renewed' }))).toBeNull();
  expect(formatLogLine('edge', JSON.stringify({ level: 30, requestId: 'r1', msg: 'request answered' }))).toBeNull();
  expect(formatLogLine('edge', JSON.stringify({ level: 50, requestId: 'r1', msg: 'request failed' }))).toContain('request failed');
});

test('shows what is not JSON as it is', () => {
  expect(formatLogLine('edge', 'SyntaxError: oh')).toContain('SyntaxError: oh');
  expect(formatLogLine('edge', '')).toBeNull();
});
