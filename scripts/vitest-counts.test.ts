import { expect, test } from 'vitest';
import { countTests } from './vitest-counts.ts';

const report = (failedInFile: number, fileStatus: 'passed' | 'failed'): string =>
  JSON.stringify({
    numPassedTests: 5,
    numFailedTests: failedInFile,
    numPendingTests: 1,
    numTodoTests: 1,
    testResults: [{ status: fileStatus, assertionResults: Array.from({ length: failedInFile }, () => ({ status: 'failed' })) }],
  });

test('counts what passed, failed and was skipped', () => {
  expect(countTests(report(2, 'failed'), 1)).toEqual({ passed: 5, failed: 2, skipped: 2 });
  expect(countTests(report(0, 'passed'), 0)).toEqual({ passed: 5, failed: 0, skipped: 2 });
});

test('a file that cannot be loaded is a failure', () => {
  expect(countTests(report(0, 'failed'), 1).failed).toBe(1);
});

test('a run that ends badly is a failure even if every test passed', () => {
  expect(countTests(report(0, 'passed'), 1).failed).toBe(1);
  expect(countTests(report(0, 'passed'), null).failed).toBe(1);
});

test('a run without a readable report is a failure', () => {
  expect(countTests(null, 0).failed).toBe(1);
  expect(countTests('{"numPassed', 0).failed).toBe(1);
});
