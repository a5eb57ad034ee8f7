// npm test: installs what the tests need, runs format check, lint, type check and every test, and ends with "N passed, N failed".
//
//   npm test                            everything
//   npm test -- --only unit             one of: format, lint, types, unit, integration
//   npm test -- services/berth -t Redis anything else goes to vitest
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installTestTools } from './install/test-tools.ts';
import { endLeak, findLeaks } from './leaks.ts';
import { runToEnd } from './run-to-end.ts';
import { countTests } from './vitest-counts.ts';
import type { Counts } from './vitest-counts.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** The whole of `npm test` is to stay under 25 minutes; a run that hangs ends here. */
const vitestTimeoutMs = 22 * 60_000;

const checks = {
  format: ['oxfmt', '--check'],
  lint: ['oxlint', '--type-aware', '--deny-warnings'],
  types: ['tsc', '--noEmit'],
} as const;

const { only, rest } = readArguments(process.argv.slice(2));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'berth-test-')));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
process.on('disconnect', () => stop.abort());
process.channel?.unref();

const say = (line: string): void => console.log(`test: ${line}`);
const results: { readonly name: string; readonly counts: Counts }[] = [];
if (only === null || only === 'integration') await installTestTools({ env: process.env, say });
for (const [name, command] of Object.entries(checks)) {
  // Words for vitest choose tests; the checks of the whole tree are then left out.
  if (only === null ? rest.length === 0 : only === name) results.push({ name, counts: await runCheck(name, command) });
}
if (only === null || only === 'unit' || only === 'integration') results.push({ name: 'vitest', counts: await runVitest() });
if (stop.signal.aborted) stopDockerEngine();
if (results.some(({ name }) => name === 'vitest')) results.push({ name: 'nothing is left behind', counts: checkLeaks() });
// What was ended by force is gone a moment later.
rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
finish();

async function runCheck(name: string, [program, ...args]: readonly string[]): Promise<Counts> {
  say(name);
  const { exitCode } = await run(join(root, 'node_modules', '.bin', program ?? ''), args, 5 * 60_000);
  return exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

async function runVitest(): Promise<Counts> {
  const report = join(folder, 'report.json');
  const project = only === 'unit' || only === 'integration' ? ['--project', only] : [];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...project, ...reporters, ...rest];
  const { exitCode } = await run(process.execPath, args, vitestTimeoutMs);
  return countTests(readOrNull(report), exitCode);
}

/** Vitest stops it at the end of a run; one that is interrupted has no such end. */
function stopDockerEngine(): void {
  const script = join(root, 'test/support/stop-abandoned-docker-engine.ts');
  spawnSync(process.execPath, [script], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 60_000,
  });
}

/** What the tests left running is reported and then ended, so that the machine is as it was. */
function checkLeaks(): Counts {
  const leaks = findLeaks(folder);
  for (const leak of leaks) {
    say(`left behind by the tests: ${leak.what} ${leak.pid ?? ''} ${leak.text}`);
    endLeak(leak);
  }
  return leaks.length === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

async function run(program: string, args: readonly string[], timeoutMs: number): Promise<{ readonly exitCode: number | null }> {
  return runToEnd(program, args, { cwd: root, env: { ...process.env, TMPDIR: folder }, timeoutMs, signal: stop.signal, say });
}

function finish(): void {
  const [passed, failed, skipped] = [total('passed'), total('failed'), total('skipped')];
  for (const { name, counts } of results) if (counts.failed > 0) say(`failed: ${name}${counts.failed > 1 ? ` (${counts.failed})` : ''}`);
  if (stop.signal.aborted) say('stopped before the end');
  process.exitCode = failed === 0 && passed > 0 && !stop.signal.aborted ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`);
}

function total(key: keyof Counts): number {
  return results.reduce((sum, { counts }) => sum + counts[key], 0);
}

function readArguments(args: readonly string[]): { readonly only: string | null; readonly rest: readonly string[] } {
  const at = args.findIndex((argument) => argument === '--only' || argument.startsWith('--only='));
  if (at < 0) return { only: null, rest: args };
  const [, inline] = (args[at] ?? '').split('=');
  const value = inline ?? args[at + 1] ?? '';
  const known = [...Object.keys(checks), 'unit', 'integration'];
  if (!known.includes(value)) {
    console.error(`test: --only takes one of ${known.join(', ')}, not "${value}"`);
    process.exit(2);
  }
  return { only: value, rest: args.filter((_, index) => index !== at && (inline !== undefined || index !== at + 1)) };
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
