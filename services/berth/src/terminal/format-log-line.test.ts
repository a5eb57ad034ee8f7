import { createLogger } from '@berth/telemetry';
import type { Logger } from '@berth/telemetry';
import { expect, test } from 'vitest';
import { createLogFormatter } from './format-log-line.ts';

test('says time, service, event and fields in one short line', () => {
  const line = written((log) => log.info({ model: 'llama', vramMiB: 812 }, 'endpoint became ready'));
  expect(createLogFormatter('orchestrator')(line)).toMatch(
    /^\d\d:\d\d:\d\d orchestrator {2}endpoint became ready {2}model=llama vramMiB=812$/,
  );
});

test('shows the message of an error, and its level', () => {
  const line = written((log) => log.error({ err: new TypeError('no such image') }, 'step failed'));
  expect(createLogFormatter('orchestrator')(line)).toContain('ERROR: step failed  err="no such image"');
});

test('leaves out debug lines and single requests, but not their failures', () => {
  const format = createLogFormatter('edge');
  expect(format(written((log) => log.debug({}, 'lease renewed')))).toBeNull();
  expect(format(written((log) => log.info({ requestId: 'r1' }, 'request served')))).toBeNull();
  expect(format(written((log) => log.warn({ requestId: 'r1' }, 'request failed')))).toContain('warning: request failed');
});

test('leaves out what a field does not know', () => {
  const line = written((log) => log.warn({ model: 'llama', brokenBy: null, attempts: 0, stream: false }, 'request failed'));
  expect(createLogFormatter('edge')(line)).toContain('request failed  model=llama attempts=0 stream=false');
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
  return written((log) => log.info({ model: 'large', plan }, 'placement planned'));
}

/** The line that a service writes. */
function written(log: (logger: Logger) => void): string {
  let line = '';
  log(createLogger({ service: 'test', level: 'debug', destination: { write: (text) => void (line = text) } }));
  return line;
}
